/** The receiver's count of one-way messages: the rate that arrived, whatever the sender believes. */
'use strict';

const idle = require('timers/promises').setTimeout;

const STAMP_EVERY = 64; // messages between two looks at the clock, so that counting costs little
const QUIET = 2000; // ms without a message after which the rest counts as lost

let count = 0;
let firstAt = 0;
let stampedAt = 0;
let stampedCount = 0;

/** Called for every message (or chunk of `messages` messages) that arrived. */
function arrived(messages = 1) {
  if (count === 0) firstAt = performance.now();
  count += messages;
  if (count - stampedCount >= STAMP_EVERY) {
    stampedAt = performance.now();
    stampedCount = count;
  }
}

/** Forgets what arrived so far. */
function reset() {
  count = stampedCount = 0;
  firstAt = stampedAt = 0;
}

/** Waits until `sent` messages are here, or nothing comes any more. → `{received, lost, perSecond}` */
async function received({ sent }) {
  let before = -1;
  let quietSince = performance.now();
  while (count < sent && performance.now() - quietSince < QUIET) {
    if (count !== before) quietSince = performance.now();
    before = count;
    await idle(5);
  }
  return { received: count, lost: sent - count, perSecond: stampedCount / ((stampedAt - firstAt) / 1000) };
}

module.exports = { arrived, reset, received };
