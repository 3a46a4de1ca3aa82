/** What an idle worker costs: resident memory of its host process, and memory of Redis. */
'use strict';

const { withFleet } = require('../lib/fleet');
const { usedMemory } = require('../lib/redis');

const FIRST = 10000; // workers that are there before the first look, so that pools and buffers have grown
const MORE = 20000; // between the two looks
const SHAPES = [['a bare object', 'bare'], ['its object alone', 'unplaced']];

module.exports = {
  name: 'memory',
  title: 'Memory: what 10 000 idle workers add to the resident memory of their host',
  systems: ['dworker'],
  columns: [
    { head: 'MiB per 10 000', key: 'mib', digits: 2 },
    { head: 'from … to', key: 'mib', span: true, digits: 2 },
    { head: 'bytes each', key: 'bytes' },
    { head: 'of it JS heap', key: 'heap' },
    { head: 'in Redis', key: 'redis' },
  ],

  async run(context) {
    const rounds = Math.min(context.rounds, context.quick ? 1 : 3);
    for (let round = 0; round < rounds; round++) {
      for (const pair of context.pairs) {
        const add = (cell, figures) => context.add({ cell, system: pair.name, round }, figures);
        const purpose = `memory-${round}`;
        context.progress(`round ${round + 1} of ${rounds}: ${pair.name}`);
        const worker = await growth(pair, purpose, async (own) => {
          const client = await own.addClient();
          return (count) => client.call('populate', { count, recoverable: false });
        });
        const held = {};
        for (const [label, shape] of SHAPES) {
          held[shape] = await growth(pair, purpose, (own, host) => (count) => host.call('hold', { shape, count }));
          add(label, held[shape]);
        }
        add('a worker', worker);
        add('beyond its object', difference(worker, held.unplaced));
      }
    }
  },
};

/** A fresh host process grows twice; the second time counts. */
function growth(pair, purpose, prepare) {
  return withFleet(pair, purpose, { execArgv: ['--expose-gc'] }, async (own) => {
    const host = await own.addHost();
    const grow = await prepare(own, host);
    await grow(FIRST);
    const before = { ...(await host.call('rss')), redis: await usedMemory(pair.settings.redis) };
    await grow(MORE);
    const after = { ...(await host.call('rss')), redis: await usedMemory(pair.settings.redis) };
    return perWorker(after.rss - before.rss, after.heapUsed - before.heapUsed, after.redis - before.redis);
  });
}

function perWorker(resident, heap, redis) {
  const bytes = resident / MORE;
  return { bytes, heap: heap / MORE, redis: redis / MORE, mib: (bytes * 10000) / 2 ** 20 };
}

function difference(a, b) {
  return Object.fromEntries(Object.keys(a).map((key) => [key, a[key] - b[key]]));
}
