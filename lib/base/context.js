/**
 * What code of the application finds in its `AsyncLocalStorage`s, and the message that is being handled in `Worker.context()`.
 *
 * Handlers run in a context of their own: outside of whatever the caller has stored, and apart from each other, wherever the
 * caller is. What follows a call of the package (`await`, `then`, a callback) runs in the context of the code that made it.
 */
'use strict';

const { AsyncLocalStorage, AsyncResource } = require('node:async_hooks');
const { callWithoutContext } = require('./native');
const { setImmediate } = require('./timers');

/** The turn whose handler runs. */
const storage = new AsyncLocalStorage();
/** Handlers that have begun and not settled. Without any, {@link current} has nothing to look for. */
let handlers = 0;

/** A resource in which nothing is stored, even if the code that loads this file has stored something. */
let root;
callWithoutContext({}, () => (root = new AsyncResource('dworker')));

/**
 * A context in which nothing is stored. It is one of Node.js's resources, which inherits its identity from {@link root}: what is
 * stored is a property of the object itself. A new `AsyncResource` takes ten times as long (0.4 µs, Node.js 20).
 */
let Scope = function () {};
Scope.prototype = root;
try {
  new Scope().runInAsyncScope(() => {});
} catch {
  // A runtime whose resources have private fields.
  Scope = function () {
    return callWithoutContext({}, () => new AsyncResource('dworker'));
  };
}

/**
 * Whether the application uses an `AsyncLocalStorage`: only then a bluebird promise has to keep the context of its `then`,
 * which makes a local ask a fifth slower.
 */
let contextsInUse = true;
const { prototype } = AsyncLocalStorage;
const { _enable: enable } = prototype;
// Where Node.js has that method (before 24) an `AsyncLocalStorage` calls it before it stores anything. Until then it appears in
// no resource.
if (typeof enable === 'function' && !hasStores(new AsyncResource('dworker'))) {
  contextsInUse = false;
  const notice = function () {
    if (this !== storage) {
      contextsInUse = true;
      if (prototype._enable === notice) prototype._enable = enable;
    }
    return enable.call(this);
  };
  prototype._enable = notice;
}

function hasStores(resource) {
  return Object.getOwnPropertySymbols(resource).some(({ description }) => description === 'kResourceStore');
}

/** Whether a promise that the package returns now has to keep the context of what is attached to it. `turn`: {@link current}. */
function keepsContext(turn) {
  return contextsInUse || turn !== undefined;
}

/** Calls `run(a, b)` where nothing is stored. */
function outside(run, a, b) {
  return new Scope().runInAsyncScope(run, undefined, a, b);
}

/** Calls `run.call(self, turn, a, b)` in a context of its own, as the handler of `turn`. */
function handle(turn, run, self, a, b) {
  return new Scope().runInAsyncScope(handleHere, self, run, turn, a, b);
}

function handleHere(run, turn, a, b) {
  storage.enterWith(turn);
  return run.call(this, turn, a, b);
}

/** A turn is open from here on. */
function handlerBegins() {
  handlers += 1;
}

/** A turn is no longer open. */
function handlerEnds() {
  handlers -= 1;
}

/** The open turn that runs this code; `undefined` outside of handlers, and after the answer. */
function current() {
  if (handlers === 0) return undefined;
  const turn = storage.getStore();
  return turn !== undefined && turn.open ? turn : undefined;
}

/** The turn that this code belongs to, also after its answer: timers and promises of a handler may outlive it. */
function origin() {
  return storage.getStore();
}

/** Runs the callbacks of bluebird's promises that wait for the end of the turn, a function for each copy of bluebird. */
let due = [];
/** Whether the events of a turn are being handled. */
let gathering = false;

/** How a copy of bluebird gets the turn in which it runs the callbacks of all its promises. */
function schedule(run) {
  if (gathering) due.push(run);
  else outside(setImmediate, run);
}

/** From here on, callbacks of bluebird's promises wait for {@link callBack}. */
function gather() {
  gathering = true;
}

/**
 * An error comes: callbacks have a turn of their own, where none are waiting yet. A caller that is refused and retries at once
 * would otherwise use up the turns in which the socket is written.
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
  if (due.length === 0) return;
  const runs = due;
  due = [];
  for (const run of runs) outside(run);
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
module.exports.gather = gather;
module.exports.handle = handle;
module.exports.handlerBegins = handlerBegins;
module.exports.handlerEnds = handlerEnds;
module.exports.keepsContext = keepsContext;
module.exports.origin = origin;
module.exports.outside = outside;
module.exports.scatter = scatter;
module.exports.schedule = schedule;
