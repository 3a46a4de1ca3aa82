'use strict';

/**
 * The recoverer fails too, or somebody creates what is being recovered.
 */

const { sleep, until } = require('../../../support/wait');
const { now } = require('../history');

const WORKERS = 1200;
const RATE = 60;

async function start(world, recoverable = WORKERS) {
  await world.system({ brokers: 4, recoverable, others: 40 });
  await world.load(RATE);
  await sleep(1000 + world.random.below(500));
  return world.brokers;
}

/** Waits until a survivor has begun to recover what `time` lost, and gives that one. */
async function recoverer(world, time) {
  const seen = () => world.observer.since(time, 'activate', ({ cause }) => cause === 1);
  await until('somebody recovers', () => seen().length > 0, 8000);
  return world.alive.find(({ name }) => name === seen()[0].p);
}

module.exports = {
  number: 15,
  title: 'the recoverer is killed, or slow, between claim and acknowledgement; create races with eviction',
  target: 'lost 0, overlap 0',
  short: ['killed', 'slow', 'race'],
  variants: {
    async killed(world, figures) {
      const [, victim] = await start(world);
      const time = now();
      await victim.kill();
      const next = await recoverer(world, time);
      await sleep(world.random.below(30));
      await next.kill();
      world.heal();
      await sleep(3000);
      figures.note('recovered by the killed', world.observer.since(time, 'activate', ({ p }) => p === next.name).length);
      return { within: 3000 };
    },

    /** Their `onCreate` takes 0.8 s, and the recoverer stands still in it. */
    async slow(world) {
      await start(world, 200);
      const ids = Array.from({ length: 100 }, (_, n) => `rs${n}`);
      await world.brokers[0].run('create', { name: 'CreateSlow', ids, recoverable: true });
      world.ids.push(...ids);
      const time = now();
      await world.brokers[1].kill();
      const next = await recoverer(world, time);
      await sleep(world.random.below(300));
      next.stop();
      await sleep(7500);
      next.continue();
      world.heal();
      await sleep(4500);
      return { within: 4500 };
    },

    async race(world, figures) {
      const [caller, victim, , other] = await start(world);
      const ids = world.observer.of(victim.name).filter((id) => id.startsWith('r'));
      const time = now();
      const ended = victim.kill();
      const plan = { ids, recoverable: true, timeout: 5000 };
      await Promise.all([caller, other].map((broker) => broker.run('create', plan)));
      await ended;
      world.heal();
      await sleep(2500);
      const activations = world.observer.since(time, 'activate', ({ id }) => ids.includes(id));
      figures.note('workers', ids.length);
      figures.equal('activations', activations.length, ids.length);
      return { within: 2500 };
    },
  },
};
