/** How long the workers of a killed process are away. */
'use strict';

const idle = require('timers/promises').setTimeout;
const { withFleet } = require('../lib/fleet');
const { forgetSlowCommands, slowCommands } = require('../lib/redis');

const LOOK = 5; // ms between two looks at what lives on the second host

module.exports = {
  name: 'recovery',
  title: 'Recovery: from kill -9 of a process until its recoverable workers answer (asked), or live (idle), elsewhere, ms',
  systems: ['dworker'],
  columns: [
    { head: 'first', key: 'first', digits: 0 },
    { head: 'half', key: 'half', digits: 0 },
    { head: 'all', key: 'all', digits: 0 },
    { head: 'all, from … to', key: 'all', span: true, digits: 0 },
    { head: 'Redis > 10 ms', key: 'slow', digits: 0 },
  ],

  async run(context) {
    const rounds = Math.min(context.rounds, context.quick ? 2 : 5);
    for (let round = 0; round < rounds; round++) {
      for (const pair of context.pairs) {
        for (const count of context.workers) {
          for (const watch of [asked, unasked]) {
            const cell = `${count} workers, ${watch === asked ? 'asked' : 'idle'}`;
            context.progress(`round ${round + 1} of ${rounds}: ${pair.name}, ${cell}`);
            const figures = await withFleet(pair, `recovery-${round}-${count}-${watch.name}`, {}, (own) => killOne(own, pair, count, watch));
            context.add({ cell, system: pair.name, round }, figures);
          }
        }
      }
    }
  },
};

/** All workers are on the first host, the second one is empty; the client has asked each of them once. */
async function killOne(own, pair, count, watch) {
  const doomed = await own.addHost();
  const client = await own.addClient();
  await client.call('populate', { count, recoverable: true });
  const heir = await own.addHost();
  const places = await client.call('who');
  if (places[doomed.pid] !== count) throw new Error(`expected ${count} workers in process ${doomed.pid}, found ${JSON.stringify(places)}`);
  await forgetSlowCommands(pair.settings.redis);
  const since = doomed.kill();
  const figures = await watch({ client, heir, doomed, count, since });
  return { ...figures, slow: await slowCommands(pair.settings.redis) };
}

/** Everybody is asked at once, until each has answered. */
const asked = ({ client, doomed, since }) => client.call('probe', { killed: doomed.pid, since });

/** Nobody is asked: what lives on the heir is counted. */
async function unasked({ heir, count, since }) {
  const times = {};
  while (!times.all) {
    const live = await heir.call('live');
    const elapsed = Number(process.hrtime.bigint() - BigInt(since)) / 1e6;
    if (live > 0) times.first ??= elapsed;
    if (live >= count / 2) times.half ??= elapsed;
    if (live === count) times.all = elapsed;
    await idle(LOOK);
  }
  return times;
}
