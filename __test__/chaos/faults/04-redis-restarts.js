'use strict';

/**
 * Redis forgets: its connections, its scripts, or all of it.
 */

const { sleep, until } = require('../../../support/wait');
const { now } = require('../history');
const { readTables } = require('../tools/tables');
const { NAMESPACE } = require('../world');

const RATE = 100;
const BROKERS = 3;

/** Whether the registry holds all of them again, each under a broker with a lease. */
async function complete(client, ids) {
  const { leases, workers } = await readTables(client, NAMESPACE);
  return Object.keys(leases).length === BROKERS
    && ids.every((id) => workers[id] !== undefined && workers[id].state === 'active' && workers[id].owner in leases);
}

function variant(cause) {
  return async (world, figures) => {
    await world.system({ brokers: BROKERS, recoverable: 200, others: 40 });
    // Every broker knows the way to every worker.
    await Promise.all(world.alive.map((broker) => broker.run('sweep', world.ids, 5000)));
    await world.load(RATE, { methods: ['tell', 'quick', 'quick', 'quick', 'short'] });
    await sleep(800 + world.random.below(500));
    const time = world.fault('Redis');
    await cause(world);
    const back = world.heal();
    const client = world.server.client();
    client.on('error', () => {});
    await until('the registry is complete', () => complete(client, world.ids), 8000).catch(() => {});
    const whole = (await complete(client, world.ids)) ? now() - back : Infinity;
    client.disconnect();
    await sleep(Math.max(1500, 6500 - (now() - back)));
    const made = new Map(world.observer.since(time, 'call').map(({ call, t }) => [call, t]));
    const failed = world.observer.since(time, 'settle', ({ ok, call }) => !ok && made.has(call));
    figures.most('registry complete', whole, 1500, 'ms');
    figures.equal('evictions', world.evictions(time), 0);
    figures.equal('workers moved', world.observer.since(time, 'activate').length, 0);
    figures.equal('failed calls', failed.length, 0);
    figures.note('calls', made.size);
    const codes = [...new Set(failed.map(({ code }) => code))].join(' ');
    if (codes !== '') figures.note('codes', codes);
    return {};
  };
}

module.exports = {
  number: 4,
  title: 'Redis restarts with its data, or empty; FLUSHALL; SCRIPT FLUSH',
  target: 'no eviction; registry complete ≤ 1.5 s after it is back; known calls keep flowing',
  short: ['restart', 'empty', 'flushall', 'scripts'],
  variants: {
    restart: variant(async ({ server, random }) => {
      await server.shutdown();
      await sleep(random.below(1500));
      await server.start();
    }),
    empty: variant(async ({ server, random }) => {
      await server.kill();
      await sleep(random.below(1500));
      await server.start();
    }),
    flushall: variant(({ server }) => server.command('FLUSHALL')),
    scripts: variant(({ server }) => server.command('SCRIPT', 'FLUSH')),
  },
};
