/** Where chance comes from: a seeded generator, so that a run can be repeated. */
'use strict';

const MULTIPLIER = 48271; // Park and Miller's minimal standard generator, 1988
const MODULUS = 2147483647;

/** A function that returns whole numbers in `[0, below)`, the same sequence for the same seed. */
function randomFrom(seed) {
  let state = (Math.abs(Math.floor(seed)) % (MODULUS - 1)) + 1;
  return function random(below) {
    state = (state * MULTIPLIER) % MODULUS;
    return Math.floor((state / MODULUS) * below);
  };
}

module.exports = { randomFrom };
