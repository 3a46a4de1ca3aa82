/**
 * An outstanding ask that its caller ends: by a signal, or because it is a handler that nobody waits for any more.
 */
'use strict';

const { badArgument } = require('../../options/arguments');
const { failure } = require('../../base/errors');

/** Throws unless `signal` is an `AbortSignal`, of this environment or another one. */
function checkSignal(signal) {
  const isSignal = signal !== null && typeof signal === 'object' && typeof signal.aborted === 'boolean';
  if (!isSignal || typeof signal.addEventListener !== 'function') throw badArgument('an AbortSignal', 'option.signal', signal);
}

function aborted(workerId, delivered, signal) {
  const error = failure('DW_ERR_ABORTED', `The ask to worker ${workerId} was aborted`, delivered);
  return Object.defineProperty(error, 'cause', { value: signal.reason, writable: true, configurable: true });
}

/** The outstanding calls of each signal. One listener serves them all: Node.js warns of more than ten. */
const calls = new WeakMap();

function listen(signal, call) {
  let listening = calls.get(signal);
  if (listening === undefined) {
    listening = { set: new Set(), abort: () => [...listening.set].forEach((each) => each.abort()) };
    calls.set(signal, listening);
  }
  if (listening.set.size === 0) signal.addEventListener('abort', listening.abort, { once: true });
  listening.set.add(call);
}

function leave(signal, call) {
  const { set, abort } = calls.get(signal);
  if (set.delete(call) && set.size === 0) signal.removeEventListener('abort', abort);
}

/** Stands where the channel keeps what it settles. */
class AbortableCall {
  constructor(channel, slot, workerId, signal, { resolve, reject }) {
    this.channel = channel;
    this.slot = slot;
    this.workerId = workerId;
    this.signal = signal;
    this.fulfil = resolve;
    this.fail = reject;
    listen(signal, this);
  }

  resolve(value) {
    leave(this.signal, this);
    this.fulfil(value);
  }

  reject(error) {
    leave(this.signal, this);
    this.fail(error);
  }

  /** The signal aborts. Where the outcome is on its way already, that one counts. */
  abort() {
    const { channel, slot } = this;
    const delivered = channel.native.abort(slot);
    if (delivered === null) return;
    channel.calls.take(slot).reject(aborted(this.workerId, delivered, this.signal));
    channel.touch();
  }
}

/** An ask of a handler, through the core, as what ends with that handler's own call. */
class CallOfHandler {
  constructor(channel, slot) {
    this.channel = channel;
    this.slot = slot;
  }

  get open() {
    return this.channel.calls.has(this.slot);
  }

  abort() {
    const { channel, slot } = this;
    const delivered = channel.native.abort(slot);
    if (delivered === null) return;
    const text = 'The call was made for one that nobody waits for any more.';
    channel.calls.take(slot).reject(failure('DW_ERR_ABORTED', text, delivered));
  }
}

module.exports.AbortableCall = AbortableCall;
module.exports.CallOfHandler = CallOfHandler;
module.exports.aborted = aborted;
module.exports.checkSignal = checkSignal;
