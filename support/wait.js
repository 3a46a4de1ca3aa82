'use strict';

const { setTimeout: sleep } = require('node:timers/promises');

const STEP_MS = 10;

/**
 * Waits until `condition()` gives something true, and returns that.
 *
 * @param {string} what for the error: "… did not come true"
 * @param {function(): *} condition may be async; what it throws counts as not yet
 * @param {number} [timeout] ms
 */
async function until(what, condition, timeout = 5000) {
  const deadline = Date.now() + timeout;
  for (;;) {
    let last;
    try {
      const value = await condition();
      if (value) return value;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) throw new Error(`Not within ${timeout} ms: ${what}`, { cause: last });
    await sleep(STEP_MS);
  }
}

/** The error that `promise` rejects with; throws where it does not reject. */
async function rejection(promise) {
  let value;
  try {
    value = await promise;
  } catch (error) {
    return error;
  }
  throw new Error(`Expected a rejection but it was fulfilled with ${String(value).slice(0, 100)}`);
}

/** Promises the outcome of a call in callback form: `called((callback) => agent.ask('m', 1, callback))`. */
function called(call) {
  return new Promise((resolve, reject) => {
    call((error, value) => {
      if (error) reject(error);
      else resolve(value);
    });
  });
}

module.exports = { until, rejection, called, sleep };
