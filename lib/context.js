/**
 * The message that is being handled, as all that its handler runs can ask for it, however that awaits.
 *
 * Measured on 2 cores (Node 20): entering takes 20 to 40 ns a message. `run()` would take twice that, and as long as no
 * handler has run in this environment nothing is done at all.
 */
'use strict';

const { AsyncLocalStorage } = require('node:async_hooks');
const Bluebird = require('bluebird');
const { setImmediate } = require('./timers');

const storage = new AsyncLocalStorage();
/** Whether a handler ran in this environment: before that nothing can be in the storage. */
let used = false;
/** Whether a handler was entered and not left. */
let inside = false;

/** Runs the callbacks of bluebird's promises; `null` where none are due, or their own turn of the loop is asked for. */
let due = null;
/** Whether the events of a turn are being handled. */
let gathering = false;

// Bluebird runs the callbacks of all promises in one go, in the context of whoever came first: a handler's would be
// everybody's.
Bluebird.setScheduler((run) => {
  if (gathering) due = run;
  else outside(setImmediate, run);
});

/** Callbacks of bluebird's promises that are settled from here on wait for {@link callBack}. */
function gather() {
  gathering = true;
}

/**
 * An error comes: callbacks have a turn of their own, where none are waiting yet. Who is refused and tries again at once would
 * otherwise take the turns in which the socket is written.
 */
function scatter() {
  gathering = false;
}

/**
 * Runs the callbacks that wait. They would have a `setImmediate` of their own, which takes 4 to 6 µs of a single round
 * trip (2 cores, Node 20); what they send leaves at the end of this turn, as it is.
 */
function callBack() {
  gathering = false;
  if (due === null) return;
  const run = due;
  due = null;
  outside(run);
}

/** What runs from here on, until {@link leave}, belongs to the handler of `turn`. */
function enter(turn) {
  used = true;
  inside = true;
  storage.enterWith(turn);
}

/** What runs from here on belongs to no handler. */
function leave() {
  if (inside) forget();
}

/** The same where a timer may have brought a handler's context along. */
function forget() {
  inside = false;
  if (used) storage.enterWith(undefined);
}

/** The open turn that runs this code; `undefined` outside of handlers, and after the answer. */
function current() {
  if (!used) return undefined;
  const turn = storage.getStore();
  return turn !== undefined && turn.open ? turn : undefined;
}

/** Calls `run(argument)` outside of all handlers. */
function outside(run, argument) {
  return used ? storage.run(undefined, run, argument) : run(argument);
}

/** What `Worker.context()` gives. */
class CallContext {
  #controller = null;
  #reason = null;

  constructor(deadline, callerBroker) {
    this.deadline = deadline;
    this.callerBroker = callerBroker;
  }

  /** Made when it is first asked for: most handlers never do. */
  get signal() {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.#reason !== null) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Aborts the signal of `context`. Not a method: it is nothing for handlers. */
  static abort(context, reason) {
    if (context.#reason !== null) return;
    context.#reason = reason;
    if (context.#controller !== null) context.#controller.abort(reason);
  }
}

module.exports.CallContext = CallContext;
module.exports.callBack = callBack;
module.exports.current = current;
module.exports.enter = enter;
module.exports.forget = forget;
module.exports.gather = gather;
module.exports.leave = leave;
module.exports.outside = outside;
module.exports.scatter = scatter;
