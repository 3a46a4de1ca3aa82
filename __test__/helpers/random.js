'use strict';

/**
 * Random numbers of a test, from a seed that is printed: `DWORKER_TEST_SEED` plays them again.
 */
function randomness(t) {
  const seed = Number(process.env.DWORKER_TEST_SEED || Date.now() % 2 ** 31);
  t.diagnostic(`DWORKER_TEST_SEED=${seed}`);
  let state = seed >>> 0;
  // mulberry32
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return { below: (limit) => Math.floor(next() * limit) };
}

module.exports = { randomness };
