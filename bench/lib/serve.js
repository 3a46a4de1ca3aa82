/** The child's side of the line to the driver. */
'use strict';

const idle = require('timers/promises').setTimeout;

/**
 * Answers the driver's calls with `operations[op](args)`. The line carries commands and results only,
 * never a measured message. When the driver goes, the process goes.
 */
function serve(operations) {
  const all = { cpu, rss, ...operations };
  process.on('message', async ({ call, op, args }) => {
    try {
      if (typeof all[op] !== 'function') throw new Error(`no operation ${op} in ${process.argv[1]}`);
      process.send({ call, value: await all[op](args ?? {}) });
    } catch (error) {
      process.send({ call, error: error?.stack ?? String(error) });
    }
  });
  process.on('disconnect', () => process.exit());
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
