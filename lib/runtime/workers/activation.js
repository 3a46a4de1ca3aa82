/**
 * How a worker comes to life at a broker: its construction and its `onCreate`.
 */
'use strict';

const { concurrencyOf } = require('./concurrency');
const { idleOf } = require('./idle');
const { methodsOf } = require('./methods');
const { firstLine } = require('./reports');
const { runStep } = require('./steps');
const { handle, outside } = require('../../base/context');
const { clearTimeout, setTimeout } = require('../../base/timers');
const { dataOf } = require('../data/declaration');
const { UnreadableData, openCell } = require('../data/loading');
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
  create([, number, id, className, cause, epoch, attempt, attributes, kept, version, data, timers], index) {
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
      const declaration = dataOf(WorkerClass, Worker);
      const cell = openCell(workers, number, declaration, version, data, timers);
      if (cell === null) record = outside(() => construct(WorkerClass, className, id, core.broker, attributes, epoch, null));
      else record = this.constructWithData(cell, WorkerClass, className, id, attributes, epoch);
    } catch (error) {
      if (error instanceof UnreadableData) core.channel.native.created(number, CREATION.DATA_UNREADABLE, error.message, 0, JSON.stringify(workers.dispatcher.describe(error)));
      else if (WorkerClass === undefined) core.channel.native.created(number, CREATION.CLASS_UNKNOWN, firstLine(error), 0, '');
      else if (kept === 1) this.reject(number, error);
      else core.channel.native.created(number, CREATION.CONSTRUCTOR_THREW, firstLine(error), 0, '');
      core.channel.touch();
      // The caller of createWorker(), or whose message made the worker, gets the error.
      workers.reports.notConstructed({ id, className, error, answered: cause === CreateCause.NEW || kept === 1 });
      return;
    }
    workers.records.set(number, record);
    record.handle = number;
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
    const info = infoOf(cause, epoch, attempt, core.afterWipe);
    runStep(workers, record, 'onCreate', info, this.activated);
  }

  /** What the constructor sends waits like all that the worker sends, if it changed the data before. */
  constructWithData(cell, WorkerClass, className, id, attributes, epoch) {
    const beginning = { open: false, record: { cell } };
    try {
      return handle(beginning, () => construct(WorkerClass, className, id, this.core.broker, attributes, epoch, cell));
    } catch (error) {
      cell.end(error);
      throw error;
    }
  }

  /** `onCreate` has settled. */
  activated(record) {
    if (record.state !== State.ACTIVATING) return;
    if (record.kept && record.createFailure !== '') {
      this.drop(record);
      return;
    }
    // The first value of its data is stored before anybody is answered.
    if (record.cell !== null && record.cell.begin()) record.cell.whenStored((error) => this.begun(record, error));
    else this.begun(record, undefined);
  }

  /** `error`: its data could not be stored. */
  begun(record, error) {
    const { core, workers } = this;
    if (record.state !== State.ACTIVATING || core.channel === null) return;
    if (error !== undefined && record.ending === null) {
      record.createFailure = firstLine(error);
      record.createError = error;
      if (record.kept) {
        this.drop(record);
        return;
      }
    }
    workers.slow.end(record);
    clearTimeout(record.overdue);
    if (record.load === 0) workers.changeLoad(record, DEFAULT_LOAD);
    record.state = State.ACTIVE;
    core.channel.native.created(record.handle, CREATION.CREATED, record.createFailure, record.maxQueue, '');
    core.channel.touch();
    if (record.maxQueue === 0) workers.active.set(record.id, record);
    workers.reports.life(record, 'activated', record.cause);
    if (record.cell !== null && record.cell.timers !== null) record.cell.timers.start(record);
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
    if (record.cell !== null) record.cell.end(record.createError);
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

/** What `onCreate` is given. All but the cause are hidden from loops, as classes may log or compare it. */
function infoOf(cause, epoch, attempt, afterWipe) {
  const hidden = { epoch: { value: epoch }, attempt: { value: attempt }, afterWipe: { value: afterWipe && cause === CreateCause.NEW } };
  return Object.defineProperties({ cause }, hidden);
}

module.exports.Activation = Activation;
