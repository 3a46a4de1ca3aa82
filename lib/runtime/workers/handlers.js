/**
 * Chooses the function of a worker that handles a message.
 */
'use strict';

const { callMethod } = require('./methods');
const { ASK_WITH_CALLBACK } = require('./outcome');
const { TIMER, runTimer } = require('../timers/table');
const { Worker } = require('../../worker');

const { onAsk: baseOnAsk, onTell: baseOnTell } = Worker.prototype;

/** Runs the handler of an ask: `onAsk`, or a declared method without the way through the base's `onAsk`. */
function runOnAsk(outcome, data) {
  const { record, method } = outcome;
  const { worker } = record;
  if (record.methods !== null && worker.onAsk === baseOnAsk) {
    outcome.returned(callMethod(record, method, data), false);
    return;
  }
  const result = worker.onAsk(method, data, outcome.callback());
  outcome.returned(result, worker.onAsk.length >= ASK_WITH_CALLBACK);
}

/** Runs the handler of a tell, or that of a timer. */
function runOnTell(outcome, data) {
  const { record, method } = outcome;
  if (method === TIMER) {
    outcome.returned(runTimer(outcome, data), false);
    return;
  }
  const { worker } = record;
  const byName = record.methods !== null && worker.onTell === baseOnTell;
  outcome.returned(byName ? callMethod(record, method, data) : worker.onTell(method, data), false);
}

module.exports.runOnAsk = runOnAsk;
module.exports.runOnTell = runOnTell;
