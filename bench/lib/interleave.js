/** The order of windows: system against system in each cell, cell after cell, round after round. */
'use strict';

/**
 * Runs `measure(pair, cell, round)` for every cell and pair, A B C then B C A and so on: systems that
 * are compared run next to each other in time, and none is always the first after another.
 */
async function interleave({ pairs, cells, rounds, random, progress }, measure) {
  let turn = random(pairs.length);
  for (let round = 0; round < rounds; round++) {
    for (const cell of cells) {
      for (let i = 0; i < pairs.length; i++) {
        const pair = pairs[(turn + i) % pairs.length];
        progress(`round ${round + 1} of ${rounds}: ${cell.label}, ${pair.name}`);
        await measure(pair, cell, round);
      }
      turn++;
    }
  }
}

module.exports = { interleave };
