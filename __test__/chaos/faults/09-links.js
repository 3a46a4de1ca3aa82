'use strict';

/**
 * A link between brokers is dead, slow, or nobody reads at its end.
 */

const { freePort } = require('../../../support/ports');
const { sleep } = require('../../../support/wait');
const { now } = require('../history');
const { behindProxy } = require('../tools/proxy');

const RATE = 100;
const OPTION = { rpcTimeout: 8000 };
/** Few enough that the caller has time for others. */
const BURST = 5;

async function start(world) {
  const proxies = [];
  await world.redis();
  await world.system({
    brokers: 3, recoverable: 150, others: 30,
    option: async () => ({ ...OPTION, ...(await behindProxy(world, proxies, freePort)) }),
  });
  await world.load(RATE, { methods: ['tell', 'quick', 'quick', 'quick', 'short', 'long'] });
  await sleep(1500 + world.random.below(500));
  return proxies;
}

/** Calls that neither come from nor go to one of `busy`. */
function bystanders(world, busy, time) {
  const names = busy.map(({ name }) => name);
  const foreign = new Set(names.flatMap((name) => world.observer.of(name)));
  const made = new Map(world.observer.since(time, 'call', ({ p, id, method }) => !names.includes(p) && !foreign.has(id) && method === 'quick')
    .map((line) => [line.call, line.t]));
  const settled = world.observer.since(time, 'settle', ({ call }) => made.has(call));
  const took = settled.filter(({ ok }) => ok).map(({ call, t }) => t - made.get(call)).sort((a, b) => a - b);
  return { failed: settled.filter(({ ok }) => !ok).length, p99: took[Math.floor(took.length * 0.99)] };
}

function others(figures, world, busy, time) {
  const { failed, p99 } = bystanders(world, busy, time);
  figures.equal('evictions', world.evictions(time), 0);
  figures.equal('failed calls of others', failed, 0);
  figures.most('p99 of others', p99, 100, 'ms');
}

/** Big messages to the victim from another broker; how much that one grew. */
async function flood(world, victim, count) {
  const caller = world.alive.find((broker) => broker !== victim);
  const memory = caller.watchMemory();
  const outcomes = await caller.run('flood', { ids: world.observer.of(victim.name), count, method: 'quick', pad: 64 * 1024, burst: BURST });
  return { caller, grown: memory.grown(), outcomes };
}

module.exports = {
  number: 9,
  title: 'half-open TCP; slow link; a peer that stops reading',
  target: 'found ≤ 3.5 s; a living peer that does not read is kept; memory bounded; others unaffected',
  short: ['halfopen', 'slow', 'deaf'],
  variants: {
    async halfopen(world, figures) {
      const proxies = await start(world);
      const n = world.random.below(3);
      const victim = world.brokers[n];
      const ids = new Set(world.observer.of(victim.name));
      const time = world.fault('half-open');
      proxies[n].hole = true;
      await sleep(6000);
      proxies[n].mend();
      world.heal();
      const lost = world.observer.since(time, 'settle', ({ p, id, code }) => p !== victim.name && ids.has(id) && code === 'DW_ERR_PEER_LOST');
      figures.most('found', lost.length === 0 ? Infinity : Math.min(...lost.map(({ t }) => t)) - time, 3500, 'ms');
      others(figures, world, [victim], time);
      return {};
    },

    async slow(world, figures) {
      const proxies = await start(world);
      const n = world.random.below(3);
      const victim = world.brokers[n];
      const time = world.fault('slow link');
      Object.assign(proxies[n], { delay: 50, rate: 256 * 1024 });
      await world.load(20);
      const { caller, grown, outcomes } = await flood(world, victim, 1500);
      proxies[n].mend();
      world.heal();
      figures.most('grown', grown, 400, 'MiB');
      figures.note('outcomes', JSON.stringify(outcomes));
      others(figures, world, [victim, caller], time);
      return {};
    },

    async deaf(world, figures) {
      await start(world);
      const victim = world.random.pick(world.brokers);
      const ids = new Set(world.observer.of(victim.name));
      const time = world.fault('deaf');
      victim.run('block', 5000);
      const begun = now();
      const { caller, grown, outcomes } = await flood(world, victim, 1500);
      await sleep(Math.max(0, 5500 - (now() - begun)));
      world.heal();
      const lost = world.observer.since(time, 'settle', ({ id, code }) => ids.has(id) && code === 'DW_ERR_PEER_LOST');
      figures.equal('lost connections', lost.length, 0);
      figures.most('grown', grown, 400, 'MiB');
      figures.note('outcomes', JSON.stringify(outcomes));
      others(figures, world, [victim, caller], time);
      return {};
    },
  },
};
