'use strict';

/**
 * Random numbers of a run: the same seed decides the same victims, times and targets.
 *
 * @param {number} seed
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

module.exports = { seeded };
