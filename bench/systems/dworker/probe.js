/** When the workers of a killed process answer again, as their callers see it. */
'use strict';

const idle = require('timers/promises').setTimeout;

const PAUSE = 2; // ms between two asks of one caller after a failure
const LIMIT = 30000; // ms after which the rest counts as lost

/**
 * One caller per agent asks until the answer comes from a process other than `killed`.
 * `since`: when it was killed, process.hrtime in ns as a string: that clock is the same in every process of a Linux machine.
 * → `{first, half, all (ms since), answered, errors (workers that never answered), codes: {code: failed asks}}`
 */
async function probe(agents, { killed, since }) {
  const codes = {};
  const elapsed = () => Number(process.hrtime.bigint() - BigInt(since)) / 1e6;

  async function untilAnswered(agent) {
    while (elapsed() < LIMIT) {
      try {
        if ((await agent.ask('who')) !== killed) return elapsed();
      } catch (error) {
        const code = error.code ?? error.message;
        codes[code] = (codes[code] ?? 0) + 1;
      }
      await idle(PAUSE);
    }
    return Infinity;
  }

  const times = (await Promise.all(agents.map(untilAnswered))).sort((a, b) => a - b);
  const answered = times.filter(Number.isFinite).length;
  return {
    first: times[0],
    half: times[times.length >> 1],
    all: times[times.length - 1],
    answered,
    errors: times.length - answered,
    firstError: answered < times.length ? `no answer within ${LIMIT} ms` : undefined,
    codes,
  };
}

module.exports = { probe };
