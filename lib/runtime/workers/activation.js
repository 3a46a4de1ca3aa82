/**
 * How a worker comes to life at a broker: its construction and its `onCreate`.
 */
'use strict';

const { concurrencyOf } = require('./concurrency');
const { idleOf } = require('./idle');
const { methodsOf } = require('./methods');
const { firstLine } = require('./reports');
const { runStep } = require('./steps');
const { outside } = require('../../base/context');
const { clearTimeout, setTimeout } = require('../../base/timers');
const { isStructured } = require('../../payload/codec');
const { CREATION } = require('../../protocol');
const { Worker, construct } = require('../../worker');

const { State, CreateCause, DEFAULT_LOAD } = Worker;

/** How long the event loop must go on after the `onCreate` of a suspect before the next suspect is tried, ms. */
const TRIAL_MS = 50;

class Activation {
  /** @param {Workers} workers */
  constructor(workers) {
    this.workers = workers;
    this.core = workers.core;
    this.activated = this.activated.bind(this);
  }

  /** The core placed a worker at this broker, or recovers one here. */
  create([, handle, id, className, cause, epoch, attempt, attributes, kept], index) {
    const { core, workers } = this;
    if (!workers.dispatcher.mayStart(index)) return;
    if (!core.channel.native.wants(index, 0)) {
      core.channel.touch();
      return;
    }
    let WorkerClass;
    let maxQueue;
    let methods;
    let record;
    try {
      WorkerClass = core.lookUp(className);
      maxQueue = concurrencyOf(WorkerClass);
      methods = methodsOf(WorkerClass, Worker);
      record = outside(() => construct(WorkerClass, className, id, core.broker, attributes, epoch));
    } catch (error) {
      if (WorkerClass === undefined) core.channel.native.created(handle, CREATION.CLASS_UNKNOWN, firstLine(error), 0, '');
      else if (kept === 1) this.reject(handle, error);
      else core.channel.native.created(handle, CREATION.CONSTRUCTOR_THREW, firstLine(error), 0, '');
      core.channel.touch();
      // The caller of createWorker(), or whose message made the worker, gets the error.
      workers.reports.notConstructed({ id, className, error, answered: cause === CreateCause.NEW || kept === 1 });
      return;
    }
    workers.records.set(handle, record);
    record.handle = handle;
    record.owner = workers;
    record.maxQueue = maxQueue;
    record.idle = idleOf(WorkerClass);
    record.methods = methods;
    record.cause = cause;
    record.kept = kept === 1;
    record.structured = isStructured(WorkerClass, core);
    record.state = State.ACTIVATING;
    const { load } = record;
    record.load = 0;
    workers.changeLoad(record, load);
    const info = Object.defineProperties({ cause }, { epoch: { value: epoch }, attempt: { value: attempt } });
    runStep(workers, record, 'onCreate', info, this.activated);
  }

  /** `onCreate` has settled. */
  activated(record) {
    if (record.state !== State.ACTIVATING) return;
    const { core, workers } = this;
    if (record.kept && record.createFailure !== '') {
      this.drop(record);
      return;
    }
    workers.slow.end(record);
    clearTimeout(record.overdue);
    if (record.load === 0) workers.changeLoad(record, DEFAULT_LOAD);
    record.state = State.ACTIVE;
    core.channel.native.created(record.handle, CREATION.CREATED, record.createFailure, record.maxQueue, '');
    core.channel.touch();
    if (record.maxQueue === 0) workers.active.set(record.id, record);
    workers.reports.life(record, 'activated', record.cause);
    if (record.ending !== null) workers.deactivation.begin(record);
    else workers.idle.watch(record);
  }

  /** A worker that messages wait for could not be activated: they fail with the error. */
  reject(handle, error) {
    const body = JSON.stringify(this.workers.dispatcher.describe(error));
    this.core.channel.native.created(handle, CREATION.REJECTED, firstLine(error), 0, body);
  }

  /** `onCreate` of a kept worker failed: nothing of this instance is left. */
  drop(record) {
    const { core, workers } = this;
    workers.slow.end(record);
    clearTimeout(record.overdue);
    workers.changeLoad(record, 0);
    record.state = State.DESTROYED;
    workers.records.delete(record.handle);
    this.reject(record.handle, record.createError);
    core.channel.touch();
  }

  /** A worker that is suspected to end its process has run its `onCreate`: reports when the event loop has gone on for a moment. */
  tryOut(handle) {
    const { channel } = this.core;
    setTimeout(() => {
      if (this.core.channel === channel) channel.native.tried(handle);
    }, TRIAL_MS);
  }
}

module.exports.Activation = Activation;
