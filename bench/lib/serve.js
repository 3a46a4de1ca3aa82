/** The child's side of the line to the driver. */
'use strict';

const idle = require('timers/promises').setTimeout;
const { answerCalls } = require('../../support/child');

/**
 * Answers the driver's calls with `operations[op](args)`. The line carries commands and results only,
 * never a measured message. When the driver goes, the process goes.
 */
function serve(operations) {
  process.on('disconnect', () => process.exit());
  answerCalls({ cpu, rss, ...operations });
}

/** Processor time of this process so far, in µs, user and system together, all threads. */
function cpu() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

const COLLECTIONS = 4; // V8 frees weakly held things and shrinks its spaces over several collections

/** Resident memory in bytes, after garbage collection where the process was started with --expose-gc. */
async function rss() {
  for (let i = 0; globalThis.gc && i < COLLECTIONS; i++) {
    globalThis.gc();
    await idle(50);
  }
  const { rss: resident, heapUsed, external } = process.memoryUsage();
  return { rss: resident, heapUsed, external };
}

module.exports = { serve };
