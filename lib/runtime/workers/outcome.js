/**
 * The end of a handler call: its value, its promise or its callback, whichever is first.
 */
'use strict';

const { handlerBegins, handlerEnds } = require('../../base/context');
const { beginHandler, endHandler } = require('../../base/diagnostics');
const { isThenable, observe } = require('../../base/promises');
const { firstLine } = require('./reports');

/** A handler of an ask that declares this many parameters has the callback among them. */
const ASK_WITH_CALLBACK = 3;
/** Characters of the error of a failed `onCreate` that the creators of the worker get. */
const MAX_FAILURE = 500;

/**
 * One call of a handler that can end in several ways at once. A subclass gives `end(failed, value)`, which runs once.
 * `failed` apart from `value`, because a handler may well reject with `undefined`.
 */
class Outcome {
  constructor() {
    this.open = true;
    handlerBegins();
  }

  /** The node-style callback for the handler. A promise given to it is waited for. */
  callback() {
    return (error, value) => {
      if (!this.open) return;
      if (error) this.settle(true, error);
      else this.follow(value);
    };
  }

  /** The handler returned `result`; where it `waits` for its callback, `undefined` says nothing. */
  returned(result, waits) {
    if (!this.open || (result === undefined && waits)) return;
    this.follow(result);
  }

  /** Ends with `value`, or as the promise that it is ends. */
  follow(value) {
    try {
      if (isThenable(value)) {
        observe(
          value,
          (settled) => this.settle(false, settled),
          (reason) => this.settle(true, reason)
        );
        return;
      }
    } catch (thrown) {
      this.settle(true, thrown);
      return;
    }
    this.settle(false, value);
  }

  settle(failed, value) {
    if (!this.open) return;
    this.open = false;
    handlerEnds();
    this.end(failed, value);
  }

  /** The handler is not started: its message comes again, as another call. */
  drop() {
    this.open = false;
    handlerEnds();
  }
}

/**
 * One message that a worker handles. `inbound` is its number in the core; of a tell to a worker that takes others
 * meanwhile it is the connection that it came over, below zero.
 */
class Turn extends Outcome {
  constructor(workers, inbound, record, method) {
    super();
    this.workers = workers;
    this.inbound = inbound;
    this.record = record;
    this.method = method;
    this.suspensions = workers.contexts.suspensions;
    this.known = null;
    /** When it began, for subscribers of the diagnostics channel; 0 without any. */
    this.began = beginHandler();
  }

  /** What `Worker.context()` gives while it is open. */
  context() {
    if (this.known === null) this.known = this.workers.contexts.open(this);
    return this.known;
  }

  /** What the core knows of the message. */
  whatIsKnown() {
    const { channel } = this.workers.core;
    const known = channel === null ? null : this.askCore(channel.native);
    return known === null ? { left: 0, cancelled: true } : known;
  }

  askCore(native) {
    if (this.inbound > 0) return native.callContext(this.inbound);
    return { left: Infinity, cancelled: false, caller: native.caller(-this.inbound) };
  }

  /** What is left for a call of this handler that would take `timeout` ms. The core looks after its own. */
  limit(timeout) {
    return timeout;
  }

  /** The handler has settled. */
  close() {
    this.record.ended = (this.record.ended + 1) >>> 0;
    if (this.known !== null) this.workers.contexts.close(this);
    if (this.record.cell !== null) this.record.cell.compare();
  }
}

/**
 * A tell. Its sender does not wait for it; a serial worker's next message does.
 */
class TellOutcome extends Turn {
  end(failed, value) {
    this.close();
    if (this.began > 0) endHandler('handledTell', this, failed, value);
    if (failed) this.workers.reports.handlerFailed(this.record, 'onTell', this.method, value, 'error');
    if (this.inbound > 0) this.workers.dispatcher.done(this.inbound);
    if (this.record.turn === this) this.workers.dispatcher.endTurn(this);
  }
}

/**
 * An ask that waits for its answer, which leaves exactly once.
 */
class AskOutcome extends Turn {
  end(failed, value) {
    this.close();
    if (this.began > 0) endHandler('handledAsk', this, failed, value);
    if (failed) this.workers.dispatcher.answerFailure(this.inbound, this.record, value);
    else this.workers.dispatcher.answer(this.inbound, this.record, this.method, value);
    if (this.record.turn === this) this.workers.dispatcher.endTurn(this);
  }
}

/**
 * A call of `onCreate` or `onDestroy`. If it fails, the failure is reported and changes nothing else.
 */
class StepOutcome extends Outcome {
  constructor(workers, record, step, next) {
    super();
    this.workers = workers;
    this.record = record;
    this.step = step;
    this.next = next;
    this.opened = -1;
  }

  /** The number of the step in the core, which its calls name as their origin. It is allotted on demand, because most steps make no calls. */
  get inbound() {
    if (this.opened < 0) {
      const { channel } = this.workers.core;
      this.opened = channel === null ? 0 : channel.native.openStep(this.record.handle);
    }
    return this.opened;
  }

  /** No message is being handled. */
  context() {
    return undefined;
  }

  whatIsKnown() {
    return { left: Infinity, cancelled: false };
  }

  limit(timeout) {
    return timeout;
  }

  end(failed, value) {
    const { record, step, workers } = this;
    if (failed) {
      if (step === 'onCreate') {
        record.createFailure = firstLine(value).slice(0, MAX_FAILURE) || 'an error without a message';
        record.createError = value;
      }
      workers.reports.handlerFailed(record, step, step, value, 'warn');
    }
    if (record.cell !== null) record.cell.compare();
    if (this.opened > 0) workers.dispatcher.done(this.opened);
    this.next(record);
  }
}

module.exports.ASK_WITH_CALLBACK = ASK_WITH_CALLBACK;
module.exports.Turn = Turn;
module.exports.AskOutcome = AskOutcome;
module.exports.TellOutcome = TellOutcome;
module.exports.StepOutcome = StepOutcome;
