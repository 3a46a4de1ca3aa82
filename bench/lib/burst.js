/** One-way load: bursts of messages as fast as the system takes them. */
'use strict';

const nextTurn = require('timers/promises').setImmediate;

const BURST = 64; // messages between two looks at the clock and the event loop; Moleculer is at its best here (2026-11: 84 000/s, 54 000 to 63 000 with 256)

/**
 * Sends bursts of `send(done)` for `windowMs`. The next burst waits until the system took every message
 * of this one, and for a turn of the event loop, as an application that does something else as well would.
 * A refused message (an error with code DW_ERR_OVERLOADED) is not sent again: its place is taken by the
 * next one, a turn later. → `{sent, overloaded, errors, firstError, cpu}`
 */
async function bursts(send, { windowMs }) {
  const cpuBefore = process.cpuUsage();
  const until = performance.now() + windowMs;
  const counts = { sent: 0, overloaded: 0, errors: 0, firstError: undefined };
  while (performance.now() < until) {
    await burst(send, counts);
    await nextTurn();
  }
  const used = process.cpuUsage(cpuBefore);
  return { ...counts, cpu: used.user + used.system };
}

function burst(send, counts) {
  return new Promise((resolve) => {
    let open = BURST;
    function done(error) {
      if (!error) counts.sent++;
      else if (error.code === 'DW_ERR_OVERLOADED') counts.overloaded++;
      else {
        counts.errors++;
        counts.firstError ??= String(error);
      }
      if (--open === 0) resolve();
    }
    for (let i = 0; i < BURST; i++) send(done);
  });
}

module.exports = { bursts };
