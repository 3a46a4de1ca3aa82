/**
 * The table of the workers that live at one broker.
 */
'use strict';

const { Activation } = require('./activation');
const { CallContexts } = require('./call-contexts');
const { Deactivation } = require('./deactivation');
const { Dispatcher } = require('./dispatcher');
const { Idle } = require('./idle');
const { Reports } = require('./reports');
const { Slow } = require('./slow');
const { clearTimeout } = require('../../base/timers');
const { encode } = require('../../payload/payload');
const { Worker } = require('../../worker');

const { State } = Worker;

class Workers {
  /**
   * @param {Core} core
   */
  constructor(core) {
    this.core = core;
    /** By handle: every worker from its construction to the end of its `onDestroy`. */
    this.records = new Map();
    /** By id: active workers that handle several messages at a time. */
    this.active = new Map();
    /** Sum of the loads of all workers. */
    this.load = 0;
    /** The messages of the broker to its own workers ({@link Direct}), while a channel is open. */
    this.direct = null;
    this.reports = new Reports(core);
    this.slow = new Slow(this.reports);
    this.contexts = new CallContexts(core);
    this.dispatcher = new Dispatcher(this);
    this.activation = new Activation(this);
    this.deactivation = new Deactivation(this);
    this.idle = new Idle(this);
  }

  /** The answer of a worker, encoded by the codec of its class. */
  encode(record, value) {
    return encode(value, record.structured, this.core.config.maxMessageBytes);
  }

  changeLoad(record, load) {
    if (load === record.load) return;
    this.load += load - record.load;
    record.load = load;
    const { channel } = this.core;
    channel.native.setLoad(record.handle, load);
    channel.touch();
  }

  /** The broker can no longer prove that it holds its lease. */
  suspended() {
    if (this.direct !== null) this.direct.suspended();
    this.contexts.suspended();
  }

  /** The server may have lost what workers stored: they store it again. */
  restored() {
    for (const { cell } of this.records.values()) if (cell !== null) cell.doubt();
  }

  /** The broker has ended: its workers no longer belong to it. */
  abandon() {
    this.slow.stop();
    this.idle.stop();
    for (const record of this.records.values()) {
      clearTimeout(record.overdue);
      record.state = State.DESTROYED;
      record.load = 0;
      if (record.cell !== null) record.cell.end(this.core.inFlight('closed'));
    }
    this.deactivation.abandon();
    this.records.clear();
    this.active.clear();
    this.load = 0;
  }
}

module.exports.Workers = Workers;
