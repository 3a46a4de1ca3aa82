/**
 * How the package talks back to the application: promises of its choice, node-style callbacks, events.
 */
'use strict';

const Bluebird = require('bluebird');
const { checkCallback } = require('../options/arguments');
const { current, keepsContext, schedule } = require('./context');
const { setImmediate } = require('./timers');

/** True for whatever has a `then`. A getter of the application's that throws is the caller's to catch. */
function isThenable(value) {
  return value !== null && (typeof value === 'object' || typeof value === 'function') && typeof value.then === 'function';
}

// Bluebird runs the callbacks of all promises in one go, in the context of the first of them: the context of
// one handler would be that of all.
Bluebird.setScheduler(schedule);

/** Copies of bluebird whose `then` keeps the context that it is called in, by the constructor that they replace. */
const keeping = new WeakMap();

/**
 * What the package's own promises are made of where a context is to be kept. A bluebird promise calls back in whatever context
 * is current then; a private copy can be configured to keep the one of `then`. Not everywhere: `then` takes 1.7 times as long
 * (measured on 2 cores, Node 20: 2.7 instead of 1.6 µs).
 */
function keepingContext(PromiseClass) {
  if (typeof PromiseClass.getNewLibraryCopy !== 'function') return PromiseClass;
  let copy = keeping.get(PromiseClass);
  if (copy === undefined) {
    copy = PromiseClass.getNewLibraryCopy();
    copy.config({ asyncHooks: true });
    copy.setScheduler(schedule);
    keeping.set(PromiseClass, copy);
  }
  return copy;
}

/** The class of a promise that the package returns now: `PromiseClass`, or its copy that keeps contexts. */
function contextual(PromiseClass, turn = current()) {
  return keepsContext(turn) ? keepingContext(PromiseClass) : PromiseClass;
}

function isContextKeeping(value) {
  const copy = keeping.get(Bluebird);
  return copy !== undefined && value instanceof copy;
}

/**
 * Calls `succeed(value)` or `fail(reason)` once when `thenable` settles, whatever it does wrong itself.
 */
function observe(thenable, succeed, fail) {
  if (thenable instanceof Bluebird || isContextKeeping(thenable)) {
    // Workers of the original answer with `Promise.resolve(data)`: looking into it instead of waiting for it
    // saves 10 to 20 % of a call (measured on 2 cores, Node 20, caller and worker in one process).
    if (thenable.isFulfilled()) succeed(thenable.value());
    else thenable.then(succeed, fail);
  } else if (thenable instanceof Promise) thenable.then(succeed, fail);
  else Promise.resolve(thenable).then(succeed, fail);
}

/** Throws outside of the current call, as a listener's or a callback's own error must: it is the application's. */
function throwLater(error) {
  setImmediate(() => {
    throw error;
  });
}

/** Answers `callback`, where there is one, when `promise` settles; returns `promise`, whose rejection then is handled. */
function nodeify(promise, callback) {
  if (typeof callback !== 'function') return promise;
  promise.then(
    (value) => callBack(callback, null, value),
    (reason) => callBack(callback, reason, undefined)
  );
  return promise;
}

function callBack(callback, error, value) {
  try {
    if (error === null) callback(null, value);
    else callback(error);
  } catch (thrown) {
    throwLater(thrown);
  }
}

/**
 * Runs `work()` for a public call: whatever it throws rejects instead, and the callback receives it too.
 */
function answer(PromiseClass, callback, work) {
  let promise;
  try {
    checkCallback(callback);
    promise = work();
  } catch (error) {
    promise = PromiseClass.reject(error);
  }
  return nodeify(promise, callback);
}

/** Tells the application's listeners. What one of them throws is its own, and must not stop the event at hand. */
function tellListeners(emitter, name, ...details) {
  try {
    emitter.emit(name, ...details);
  } catch (error) {
    throwLater(error);
  }
}

function ignore() {}

/** Keeps a rejection that nobody awaits from being an `unhandledRejection`; code that awaits it still sees it. */
function contain(promise) {
  promise.then(undefined, ignore);
  return promise;
}

module.exports.Bluebird = Bluebird;
module.exports.contextual = contextual;
module.exports.isThenable = isThenable;
module.exports.observe = observe;
module.exports.throwLater = throwLater;
module.exports.nodeify = nodeify;
module.exports.contain = contain;
module.exports.answer = answer;
module.exports.tellListeners = tellListeners;
