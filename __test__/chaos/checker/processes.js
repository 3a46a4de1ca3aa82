'use strict';

/**
 * I8 and I9: the processes themselves.
 */

const GROWTH = 1.1;
/** A heap grows and shrinks by itself; what a run leaves behind must be more than that to be seen. */
const NOISE_BYTES = 24 * 1024 * 1024;
const NOISE_DESCRIPTORS = 4;

/** Nobody exits but the killed. */
function exits(model, violation) {
  for (const [name, { killed, ended }] of model.processes) {
    if (ended !== undefined && !killed) violation(`${name} ended by itself: code ${ended.code}, signal ${ended.signal}`);
  }
}

/** Memory and descriptors return to within 10 %. */
function resources(model, violation) {
  for (const before of model.samples.filter(({ phase }) => phase === 'before')) {
    const after = model.samples.find(({ phase, of }) => phase === 'after' && of === before.of);
    if (after === undefined) continue;
    if (after.rss > before.rss * GROWTH + NOISE_BYTES) {
      violation(`${before.of}: memory ${megabytes(before.rss)} before, ${megabytes(after.rss)} after`);
    }
    if (after.fds > before.fds * GROWTH + NOISE_DESCRIPTORS) violation(`${before.of}: ${before.fds} descriptors before, ${after.fds} after`);
  }
}

function megabytes(bytes) {
  return `${Math.round(bytes / 1048576)} MiB`;
}

module.exports = { exits, resources };
