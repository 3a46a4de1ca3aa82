/**
 * Starts the handlers of messages that arrive through the core, and sends their answers.
 */
'use strict';

const { handle: runHandler } = require('../../base/context');
const { AskOutcome, TellOutcome } = require('./outcome');
const { END } = require('../ending');
const { runOnAsk, runOnTell } = require('./handlers');
const { describe, describeOwn, stackOf } = require('../messages/failures');
const { firstLine } = require('./reports');
const { keep } = require('../../payload/payload');
const { TIMER } = require('../timers/table');
const { Worker } = require('../../worker');

const { State, DestroyCause } = Worker;

class Dispatcher {
  /** @param {Workers} workers */
  constructor(workers) {
    this.workers = workers;
    this.core = workers.core;
    /** When the core last confirmed the lease, ms. A jump of this clock only makes it ask again. */
    this.provenAt = 0;
  }

  get native() {
    return this.core.channel.native;
  }

  /**
   * Whether the handler of the event at `index` of the current batch may start. If not, the event is delivered again once the lease has
   * been renewed.
   *
   * This is the last check before the handler: a process that was stopped between the check and the handler starts the handler when it
   * continues, whatever has happened since. The core is asked only when the clock has advanced since it last confirmed the lease, because a
   * process that was stopped finds a later millisecond. One N-API call for each handler would take 40 % of the rate of tells.
   */
  mayStart(index) {
    const now = this.core.channel.pace.look();
    if (now === this.provenAt) return true;
    const proven = this.native.mayStart(index);
    this.provenAt = proven ? now : 0;
    return proven;
  }

  /** `index`: the position of the event in the current batch. */
  ask(inbound, handle, method, data, index) {
    const record = this.workers.records.get(handle);
    if (record === undefined || record.state !== State.ACTIVE) {
      this.refuse(index);
      return;
    }
    if (!this.core.channel.receiver.wants(index)) return;
    if (method === END) {
      this.endFromOutside(record, inbound, index);
      return;
    }
    runHandler(new AskOutcome(this.workers, inbound, record, method), this.runAsk, this, data, index);
  }

  runAsk(outcome, data, index) {
    if (!this.mayStart(index)) {
      outcome.drop();
      return;
    }
    outcome.record.started = (outcome.record.started + 1) >>> 0;
    if (outcome.record.maxQueue > 0) this.beginTurn(outcome);
    try {
      runOnAsk(outcome, data);
    } catch (error) {
      outcome.settle(true, error);
    }
  }

  /** `agent.destroy()`, which is answered when `onDestroy` has settled. */
  endFromOutside(record, inbound, index) {
    if (!this.mayStart(index)) return;
    record.enders.push(inbound);
    this.workers.deactivation.end(record, DestroyCause.SELF, false);
  }

  tell(inbound, handle, method, data, index) {
    const record = this.workers.records.get(handle);
    if (record === undefined || record.state !== State.ACTIVE) {
      this.refuse(index);
      return;
    }
    runHandler(new TellOutcome(this.workers, inbound, record, method), this.runTell, this, data, index);
  }

  runTell(outcome, data, index) {
    if (!this.mayStart(index)) {
      outcome.drop();
      return;
    }
    outcome.record.started = (outcome.record.started + 1) >>> 0;
    if (outcome.record.maxQueue > 0) this.beginTurn(outcome);
    try {
      runOnTell(outcome, data);
    } catch (error) {
      outcome.settle(true, error);
    }
  }

  /** The message arrived in the same batch as the event that ended its worker. The core sends it back, or keeps it for the next activation. */
  refuse(index) {
    this.native.refuse(index);
    this.core.channel.touch();
  }

  /** A serial worker handles this message now. */
  beginTurn(turn) {
    turn.record.turn = turn;
    this.workers.slow.begin(turn, turn.record, turn.method === TIMER ? 'onTimer' : turn.method);
  }

  /** The handler of a serial worker has settled: the action that waited for it comes next. */
  endTurn(turn) {
    const { record } = turn;
    this.workers.slow.end(turn);
    if (record.turn !== turn) return;
    record.turn = null;
    if (record.afterTurn === null) return;
    const { afterTurn } = record;
    record.afterTurn = null;
    afterTurn();
  }

  answer(inbound, record, method, value) {
    if (this.core.channel === null) return;
    let payload;
    try {
      payload = this.workers.encode(record, value);
    } catch (error) {
      this.answerFailure(inbound, record, this.unserializableAnswer(record, method, error));
      return;
    }
    if (record.cell !== null && record.cell.isHolding()) this.answerLater(inbound, record, payload);
    else this.reply(inbound, payload.data, payload.form);
  }

  reply(inbound, data, form) {
    if (this.core.channel === null) return;
    this.native.reply(inbound, data, form);
    this.core.channel.touch();
  }

  /** The last change of the worker's data is not stored yet. */
  answerLater(inbound, record, { data, form }) {
    const kept = keep(data, form);
    this.holdAnswer(inbound, record, () => this.reply(inbound, kept, form));
  }

  answerFailure(inbound, record, reason) {
    if (this.core.channel === null) return;
    const body = this.describe(reason);
    if (record.cell !== null && record.cell.isHolding()) this.holdAnswer(inbound, record, () => this.fail(inbound, body));
    else this.fail(inbound, body);
  }

  fail(inbound, body) {
    if (this.core.channel === null) return;
    this.native.fail(inbound, body.message, JSON.stringify(body));
    this.core.channel.touch();
  }

  /** A serial worker takes its next message meanwhile. */
  holdAnswer(inbound, record, send) {
    record.cell.hold(send, (error) => this.fail(inbound, describeOwn(error)));
    if (record.maxQueue > 0) this.native.endTurn(inbound);
    this.core.channel.touch();
  }

  /** The core waits for the end of a tell to a serial worker, and of a step of a worker's life that made calls. */
  done(inbound) {
    if (this.core.channel === null) return;
    this.native.done(inbound);
    this.core.channel.touch();
  }

  /** The error of the caller where the codec cannot express the answer. */
  unserializableAnswer(record, method, error) {
    const what = record.structured ? 'cloned' : 'turned into JSON';
    const text = `The answer of worker ${record.id} to '${method}' cannot be ${what}: ${firstLine(error)}`;
    return Object.assign(new Error(text), { cause: error });
  }

  /** An error of a handler, as its caller gets it. */
  describe(reason) {
    const body = describe(reason);
    const stack = this.core.remoteStack ? stackOf(reason, this.core.config.maxMessageBytes) : undefined;
    if (stack !== undefined) body.stack = stack;
    return body;
  }

  /** Every message that the broker sent to this worker through the core has arrived: later ones need not go through it. */
  opened(handle, index) {
    const record = this.workers.records.get(handle);
    if (record !== undefined && this.mayStart(index)) this.workers.direct.opened(record);
  }
}

module.exports.Dispatcher = Dispatcher;
