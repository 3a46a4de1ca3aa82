/**
 * The call contexts that handlers asked for with `Worker.context()`, until the handlers have settled.
 */
'use strict';

const { CallContext } = require('../../base/context');
const { failure } = require('../../base/errors');
const { applicationClock } = require('../../base/timers');

class CallContexts {
  /** @param {Core} core */
  constructor(core) {
    this.core = core;
    /** By {@link keyOf} the turn. */
    this.contexts = new Map();
    /** How often this broker was suspended. */
    this.suspensions = 0;
  }

  /** Makes the context of a message that is being handled. */
  open(turn) {
    const { left, cancelled, caller } = turn.whatIsKnown();
    const context = new CallContext(applicationClock() + Math.ceil(left), caller === null ? undefined : caller);
    this.contexts.set(keyOf(turn), context);
    if (cancelled) CallContext.abort(context, callerGone());
    else if (turn.suspensions !== this.suspensions) CallContext.abort(context, this.leaseUnproven());
    return context;
  }

  close(turn) {
    this.contexts.delete(keyOf(turn));
  }

  /** The caller no longer waits for the answer. `key`: see {@link keyOf}. */
  cancelled(key) {
    const context = this.contexts.get(key);
    if (context !== undefined) CallContext.abort(context, callerGone());
  }

  /** The broker can no longer prove that it holds its lease. */
  suspended() {
    this.suspensions += 1;
    for (const context of this.contexts.values()) CallContext.abort(context, this.leaseUnproven());
  }

  leaseUnproven() {
    return failure('DW_ERR_SUSPENDED', `Broker ${this.core.id} cannot prove that it holds its lease`);
  }
}

/** The number of the message in the core; a message that has none is its own key. */
function keyOf(turn) {
  return turn.inbound > 0 ? turn.inbound : turn;
}

function callerGone() {
  return failure('DW_ERR_ABORTED', 'The caller no longer waits for the answer to this call');
}

module.exports.CallContexts = CallContexts;
