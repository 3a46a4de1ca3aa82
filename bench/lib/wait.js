/** Waiting for a condition in another process. */
'use strict';

const idle = require('timers/promises').setTimeout;

const LIMIT = 20000; // ms

/** Asks again and again until `condition()` is true; throws after 20 s and names `what`. */
async function until(what, condition) {
  const deadline = performance.now() + LIMIT;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited ${LIMIT} ms until ${what}`);
    await idle(20);
  }
}

module.exports = { until };
