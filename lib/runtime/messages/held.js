/**
 * Messages of a worker that wait until its last change is stored.
 */
'use strict';

const { AsyncResource } = require('node:async_hooks');
const { aborted } = require('./abortable');
const { current } = require('../../base/context');
const { failure } = require('../../base/errors');
const { clearTimeout, monotonicClock, setTimeout } = require('../../base/timers');

/**
 * Promises what `send(left)` promises, which is called when the gate of the cell opens, where the code is that wanted to send. `left`: of
 * `timeout`, ms. The time and the signal count meanwhile.
 *
 * @param {Channel} channel
 * @param {DataCell} cell
 * @param {function(number): Promise} send
 * @param {{timeout: number=, signal: AbortSignal=, workerId: string=}} limits
 */
function sendLater(channel, cell, send, { timeout = Infinity, signal, workerId } = {}) {
  const promise = channel.calls.newPromise(current());
  const held = new HeldMessage(channel.calls.newCall(), send, timeout);
  held.limit(signal, workerId);
  cell.hold(
    () => held.release(),
    (error) => held.end(unsent(error))
  );
  return promise;
}

class HeldMessage {
  constructor(settle, send, timeout) {
    this.settle = settle;
    this.send = send;
    this.scope = new AsyncResource('dworker.held');
    this.deadline = monotonicClock() + timeout;
    this.timer = null;
    this.signal = undefined;
    this.open = true;
  }

  limit(signal, workerId) {
    const left = this.deadline - monotonicClock();
    if (left < Infinity) this.timer = setTimeout(() => this.end(failure('DW_ERR_TIMEOUT', 'The data of the sending worker was not stored in time.', 'no')), left);
    if (signal === undefined) return;
    this.signal = signal;
    this.aborted = () => this.end(aborted(workerId, 'no', signal));
    signal.addEventListener('abort', this.aborted, { once: true });
  }

  release() {
    if (!this.open) return;
    this.close();
    const left = Math.max(Math.ceil(this.deadline - monotonicClock()), 1);
    this.scope.runInAsyncScope(() => {
      try {
        this.send(left).then(this.settle.resolve, this.settle.reject);
      } catch (error) {
        this.settle.reject(error);
      }
    });
  }

  end(error) {
    if (!this.open) return;
    this.close();
    this.settle.reject(error);
  }

  close() {
    this.open = false;
    clearTimeout(this.timer);
    if (this.signal !== undefined) this.signal.removeEventListener('abort', this.aborted);
  }
}

/** The error of a message that never left. */
function unsent(cause) {
  return Object.assign(failure(cause.code, `The message was not sent: ${cause.message}`, 'no'), { cause });
}

module.exports.sendLater = sendLater;
