/**
 * What counts as the end of a handler call: its value, its promise or its callback, whichever is first.
 */
'use strict';

const { abortAll } = require('./direct-call');
const { beginHandler, endHandler } = require('../base/diagnostics');
const { failure } = require('../base/errors');
const { isThenable, observe } = require('../base/promises');
const { monotonicClock } = require('../base/timers');

/** A handler of an ask that declares this many parameters has the callback among them. */
const ASK_WITH_CALLBACK = 3;
/** Calls of one handler that are remembered before those are looked for which have ended. */
const MANY_CALLS = 64;

/**
 * One call of a handler that can end in several ways at once. A subclass gives `end(failed, value)`, which runs once.
 * `failed` apart from `value`, because a handler may well reject with `undefined`.
 */
class Outcome {
  constructor() {
    this.open = true;
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
    this.end(failed, value);
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
    this.suspensions = workers.suspensions;
    this.known = null;
    /** When it began, for who watches; 0 where nobody does. */
    this.began = beginHandler();
  }

  /** What `Worker.context()` gives while it is open. */
  context() {
    if (this.known === null) this.known = this.workers.contextOf(this);
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

  unwatch() {
    if (this.known !== null) this.workers.unwatch(this);
  }
}

/**
 * A tell: nobody waits for it, but the next message of a worker that takes one at a time.
 */
class TellOutcome extends Turn {
  end(failed, value) {
    this.unwatch();
    if (this.began > 0) endHandler('handledTell', this, failed, value);
    if (failed) this.workers.report(this.record, 'onTell', this.method, value, 'error');
    if (this.inbound > 0) this.workers.done(this.inbound);
    if (this.record !== null && this.record.turn === this) this.workers.endTurn(this);
  }
}

/**
 * An ask that waits for its answer, which leaves exactly once.
 */
class AskOutcome extends Turn {
  end(failed, value) {
    this.unwatch();
    if (this.began > 0) endHandler('handledAsk', this, failed, value);
    if (failed) this.workers.answerFailure(this.inbound, value);
    else this.workers.answer(this.inbound, value, this.record, this.method);
    if (this.record !== null && this.record.turn === this) this.workers.endTurn(this);
  }
}

/**
 * An ask of this broker that did not go through the core.
 */
class DirectOutcome extends Turn {
  constructor(direct, call) {
    super(direct.workers, 0, call.record, call.method);
    this.direct = direct;
    this.call = call;
    /** Calls of the handler. */
    this.calls = [];
    /** When there are so many, those that have ended are dropped. */
    this.many = MANY_CALLS;
  }

  end(failed, value) {
    this.unwatch();
    if (this.began > 0) endHandler('handledAsk', this, failed, value);
    this.direct.answered(this.call, failed, value);
  }

  whatIsKnown() {
    const { call, workers } = this;
    return { left: call.deadline - monotonicClock(), cancelled: !call.open, caller: workers.core.id };
  }

  limit(timeout) {
    if (!this.call.open) throw failure('DW_ERR_ABORTED', 'Nobody waits any more for the call that is being handled.', 'no');
    const left = this.call.deadline - monotonicClock();
    if (left <= 0) throw failure('DW_ERR_TIMEOUT', 'The call that is being handled has no time left.', 'no');
    return Math.min(timeout, Math.ceil(left));
  }

  /** A call of the handler ends with it. */
  adopt(call) {
    if (this.calls.length >= this.many) {
      this.calls = this.calls.filter(({ open }) => open);
      // At least as many again are made before the next look at all of them.
      this.many = Math.max(MANY_CALLS, 2 * this.calls.length);
    }
    this.calls.push(call);
  }

  /** Nobody waits for the answer any more. */
  cancelled() {
    if (!this.open) return;
    this.workers.cancelled(this);
    this.abortCalls();
  }

  abortCalls() {
    const { calls } = this;
    this.calls = [];
    abortAll(calls);
  }
}

/**
 * A call of `onCreate` or `onDestroy`: what it failed with is told and ignored.
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

  /** The number that the core knows the step by: its calls say who waits for them. Most steps make none. */
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
    if (failed) this.workers.stepFailed(this.record, this.step, value);
    if (this.opened > 0) this.workers.done(this.opened);
    this.next.call(this.workers, this.record);
  }
}

module.exports.ASK_WITH_CALLBACK = ASK_WITH_CALLBACK;
module.exports.DirectOutcome = DirectOutcome;
module.exports.AskOutcome = AskOutcome;
module.exports.TellOutcome = TellOutcome;
module.exports.StepOutcome = StepOutcome;
