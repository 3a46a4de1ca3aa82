'use strict';

/**
 * Random numbers from a seed: the same seed gives the same numbers.
 *
 * @param {number} seed a whole number
 */
function seeded(seed) {
  let state = seed >>> 0;
  // mulberry32
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit) => Math.floor(next() * limit);
  return { below, between: (low, high) => low + below(high - low + 1), pick: (list) => list[below(list.length)] };
}

/** Random numbers of a test, from a seed that is printed: 1, or what `DWORKER_TEST_SEED` says. */
function randomness(t) {
  const seed = Number(process.env.DWORKER_TEST_SEED || 1);
  t.diagnostic(`DWORKER_TEST_SEED=${seed}`);
  return seeded(seed);
}

module.exports = { randomness, seeded };
