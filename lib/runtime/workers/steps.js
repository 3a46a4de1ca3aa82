/**
 * Runs `onCreate` and `onDestroy`.
 */
'use strict';

const { handle: runHandler } = require('../../base/context');
const { StepOutcome } = require('./outcome');

/** A step that declares this many parameters takes a callback. */
const STEP_WITH_CALLBACK = 2;

/** Runs the step `name` of the worker, then `next(record)` whether it failed or not. */
function runStep(workers, record, name, info, next) {
  workers.slow.begin(record, record, name);
  runHandler(new StepOutcome(workers, record, name, next), callStep, undefined, info);
}

function callStep(outcome, info) {
  const { record, step } = outcome;
  const { worker } = record;
  try {
    const result = worker[step](info, outcome.callback());
    outcome.returned(result, worker[step].length >= STEP_WITH_CALLBACK);
  } catch (error) {
    outcome.settle(true, error);
  }
}

module.exports.runStep = runStep;
