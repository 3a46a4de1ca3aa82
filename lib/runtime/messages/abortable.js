/**
 * Outstanding asks that are cancelled: by an `AbortSignal`, or because the call whose handler made them has ended.
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

/** An ask with a signal, in place of the call that the channel would settle. */
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

  /** The signal aborts. If the outcome is already on its way, the outcome counts. */
  abort() {
    const { channel, slot } = this;
    const delivered = channel.native.abort(slot);
    if (delivered === null) return;
    channel.calls.take(slot).reject(aborted(this.workerId, delivered, this.signal));
    channel.touch();
  }
}

/** An ask that a handler made through the core, to be cancelled when the handler's own call ends. */
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
    const text = 'Cancelled: the request that made this call has already ended.';
    channel.calls.take(slot).reject(failure('DW_ERR_ABORTED', text, delivered));
  }
}

module.exports.AbortableCall = AbortableCall;
module.exports.CallOfHandler = CallOfHandler;
module.exports.aborted = aborted;
module.exports.checkSignal = checkSignal;
