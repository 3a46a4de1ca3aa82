/**
 * The end of a handler whose message did not go through the core.
 */
'use strict';

const { abortAll } = require('./direct-call');
const { endHandler } = require('../../base/diagnostics');
const { failure } = require('../../base/errors');
const { monotonicClock } = require('../../base/timers');
const { Turn } = require('../workers/outcome');

/** How many calls of one handler are kept before those that have ended are removed. */
const MANY_CALLS = 64;

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
    this.close();
    if (this.began > 0) endHandler('handledAsk', this, failed, value);
    this.direct.answers.add(this.call, failed, value);
  }

  whatIsKnown() {
    const { call, workers } = this;
    return { left: call.deadline - monotonicClock(), cancelled: !call.open, caller: workers.core.id };
  }

  limit(timeout) {
    if (!this.call.open) throw failure('DW_ERR_ABORTED', 'The caller no longer waits for the answer to the call that is being handled.', 'no');
    const left = this.call.deadline - monotonicClock();
    if (left <= 0) throw failure('DW_ERR_TIMEOUT', 'The deadline of the call that is being handled has passed.', 'no');
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

  /** The caller no longer waits for the answer. */
  cancelled() {
    if (!this.open) return;
    this.workers.contexts.cancelled(this);
    this.abortCalls();
  }

  abortCalls() {
    const { calls } = this;
    this.calls = [];
    abortAll(calls);
  }
}

module.exports.DirectOutcome = DirectOutcome;
