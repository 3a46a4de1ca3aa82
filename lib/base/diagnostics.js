/**
 * What tools can subscribe to by `node:diagnostics_channel`. Without a subscriber a message costs one look at its channel.
 */
'use strict';

const { channel } = require('node:diagnostics_channel');
const { monotonicClock } = require('./timers');

/** Calls of agents, and handlers of workers. */
const rpc = channel('dworker:rpc');
/** Where workers begin and end. */
const placement = channel('dworker:placement');

/**
 * Publishes the outcome of a call when it has settled.
 *
 * @param {Promise} promise of the call
 * @param {{type: string, broker: string, worker: string, method: string}} message
 * @returns {Promise} to give to the application instead: its rejection is as unhandled as that of the call
 */
function watchCall(promise, message) {
  const began = monotonicClock();
  return promise.then(
    (value) => {
      rpc.publish({ ...message, duration: monotonicClock() - began, error: undefined });
      return value;
    },
    (error) => {
      rpc.publish({ ...message, duration: monotonicClock() - began, error });
      throw error;
    }
  );
}

/** When a handler begins: 0 if the channel has no subscribers. */
function beginHandler() {
  return rpc.hasSubscribers ? monotonicClock() : 0;
}

/** Publishes that a handler has settled. `began`: what {@link beginHandler} gave. */
function endHandler(type, { record, method, began }, failed, value) {
  if (record === null) return;
  const { id: worker, className, epoch, broker } = record;
  rpc.publish({ type, broker: broker.id, worker, class: className, epoch, method, duration: monotonicClock() - began, error: failed ? value : undefined });
}

/** Publishes what happened to a worker of this broker, `'activated'` or `'ended'`, with the cause of that. */
function publishWorker(type, { id: worker, className, epoch, broker }, cause) {
  if (placement.hasSubscribers) placement.publish({ type, broker: broker.id, worker, class: className, epoch, cause });
}

/** Publishes what this broker found out: `'failed'`, `'lost'`, `'brokerDead'`. */
function publishFinding(type, broker, more) {
  if (placement.hasSubscribers) placement.publish({ type, broker, ...more });
}

module.exports.beginHandler = beginHandler;
module.exports.endHandler = endHandler;
module.exports.publishFinding = publishFinding;
module.exports.publishWorker = publishWorker;
module.exports.rpc = rpc;
module.exports.watchCall = watchCall;
