/** What is still answered when ten times as much comes as can be done. */
'use strict';

const HANDLER_US = 1000; // a handler keeps its process busy for so long
const CAPACITY_MS = 3000; // for how long it is measured what can be done
const TIMES = [1, 2, 10];
const TIMEOUT_MS = 1000;
const IN_FLIGHT = 16;
const SLACK_MS = 30000; // for what is still open at the end of a window

module.exports = {
  name: 'overload',
  optional: true,
  title: `Overload: a handler of ${HANDLER_US / 1000} ms, answers wanted within ${TIMEOUT_MS} ms`,
  systems: ['dworker'],
  columns: [
    { head: 'sent/s', key: 'sent' },
    { head: 'answered/s', key: 'perSecond' },
    { head: 'p50 µs', key: 'p50' },
    { head: 'p99 µs', key: 'p99' },
    { head: 'refused/s', key: 'refused' },
    { head: 'late/s', key: 'late' },
    { head: 'client MiB', key: 'clientMib', digits: 1 },
    { head: 'server MiB', key: 'serverMib', digits: 1 },
  ],

  async run({ pairs, seconds, seed, progress, add }) {
    const windowMs = Math.min(seconds, 60) * 1000;
    for (const pair of pairs) {
      const work = { handlerUs: HANDLER_US, timeout: TIMEOUT_MS, seed };
      const most = await pair.client.call('works', { ...work, inFlight: IN_FLIGHT, leadMs: 200, windowMs: CAPACITY_MS });
      add({ cell: `${IN_FLIGHT} in flight`, system: pair.name, round: 0 }, { ...most, sent: most.perSecond, refused: 0, late: 0, ...(await memory(pair)) });
      for (const times of TIMES) {
        progress(`${pair.name}, ${times} times what can be done`);
        const figures = await pair.client.call('flood', { ...work, perSecond: Math.round(most.perSecond * times), windowMs }, windowMs + SLACK_MS);
        const { DW_ERR_OVERLOADED: refused = 0, DW_ERR_TIMEOUT: late = 0 } = figures.outcomes;
        add({ cell: `${times} times as much`, system: pair.name, round: 0 }, { ...figures, refused, late, ...(await memory(pair)), clientMib: figures.rss / 2 ** 20 });
      }
    }
  },
};

async function memory(pair) {
  const [client, server] = await Promise.all([pair.client.call('rss'), pair.server.call('rss')]);
  return { clientMib: client.rss / 2 ** 20, serverMib: server.rss / 2 ** 20 };
}
