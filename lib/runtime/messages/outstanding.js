/**
 * What JavaScript waits for, by the number (slot) that the core knows each operation by.
 */
'use strict';

const { contextual } = require('../../base/promises');

/** Slots stay small integers of V8, which need no allocation. */
const MAX_SLOT = 0x3fffffff;

let capturedResolve;
let capturedReject;
/** One executor for all promises: a closure for each would be the largest allocation of an ask. */
function capture(resolve, reject) {
  capturedResolve = resolve;
  capturedReject = reject;
}

/** What an operation is settled through. */
class Call {
  constructor(resolve, reject) {
    this.resolve = resolve;
    this.reject = reject;
  }
}

/** Receives the outcome of a slot that is already settled. */
const NOBODY = { resolve() {}, reject() {} };

class Outstanding {
  /** @param {Function} PromiseClass of the promises */
  constructor(PromiseClass) {
    this.PromiseClass = PromiseClass;
    this.calls = new Map();
    this.lastSlot = 0;
  }

  /** A number that names nothing. */
  freeSlot() {
    do {
      this.lastSlot = this.lastSlot === MAX_SLOT ? 1 : this.lastSlot + 1;
    } while (this.calls.has(this.lastSlot));
    return this.lastSlot;
  }

  /** A promise whose {@link newCall} is to be taken next. `turn`: of the handler that wants it, if one does. */
  newPromise(turn) {
    const PromiseClass = contextual(this.PromiseClass, turn);
    return new PromiseClass(capture);
  }

  /** What settles the newest promise. */
  newCall() {
    return new Call(capturedResolve, capturedReject);
  }

  /** Promises the outcome of the operation that goes by `slot`. */
  promise(slot, turn) {
    const promise = this.newPromise(turn);
    this.calls.set(slot, this.newCall());
    return promise;
  }

  /** `settled.resolve(value)` or `.reject(error)` receives the outcome. */
  set(slot, settled) {
    this.calls.set(slot, settled);
  }

  has(slot) {
    return this.calls.has(slot);
  }

  get(slot) {
    return this.calls.get(slot);
  }

  get size() {
    return this.calls.size;
  }

  /** The operation has ended: returns what receives the outcome. */
  take(slot) {
    const call = this.calls.get(slot);
    this.calls.delete(slot);
    return call === undefined ? NOBODY : call;
  }

  /** Ends everything with `error()`. */
  failAll(error) {
    const calls = [...this.calls.values()];
    this.calls.clear();
    for (const call of calls) call.reject(error());
  }
}

module.exports.Outstanding = Outstanding;
