'use strict';

/**
 * A broker is killed, with and without traffic.
 */

const { until, sleep } = require('../../../support/wait');

const WORKERS = 1000;
const RATE = 150;

async function start(world) {
  await world.system({ brokers: 3, recoverable: 0, others: 0 });
  const victim = world.brokers[1];
  // A thousand on the victim: it is one of three.
  await world.populate(WORKERS * 3, 90);
  return victim;
}

async function back(world, figures, ids, killed) {
  const since = () => world.observer.since(killed, 'activate', ({ cause }) => cause === 1);
  await until('the workers are active again', () => new Set(since().map(({ id }) => id)).size >= ids.length, 15000).catch(() => {});
  const times = since().map(({ t }) => t);
  figures.note('workers', ids.length);
  figures.most('first back', Math.min(...times) - killed, 1000, 'ms');
  figures.most('all back', times.length === 0 ? Infinity : Math.max(...times) - killed, 1000, 'ms');
}

module.exports = {
  number: 1,
  title: 'kill -9 of a broker with 1 000 workers',
  target: 'first answer ≤ 300 ms, all ≤ 1 s; all back ≤ 1 s',
  short: ['load', 'quiet'],
  variants: {
    async load(world, figures) {
      const victim = await start(world);
      await world.load(RATE);
      await sleep(1500 + world.random.below(500));
      const ids = world.observer.of(victim.name).filter((id) => id.startsWith('r'));
      const killed = world.heal();
      const ended = victim.kill();
      const caller = world.brokers[0];
      const swept = await caller.run('sweep', ids, 10000);
      await ended;
      const epoch = world.observer.since(killed, 'settle', ({ p, ok }) => p === caller.name && ok);
      const old = new Set(ids);
      const answers = epoch.filter(({ id, kind }) => old.has(id) && kind === 'ask').map(({ t }) => t - killed);
      figures.most('first answer', Math.min(...answers), 300, 'ms');
      figures.most('all answered', swept.missing > 0 ? Infinity : swept.last - killed, 1000, 'ms');
      await back(world, figures, ids, killed);
      return { within: 2000 };
    },

    async quiet(world, figures) {
      const victim = await start(world);
      await sleep(800 + world.random.below(1000));
      const ids = world.observer.of(victim.name).filter((id) => id.startsWith('r'));
      const killed = world.heal();
      await victim.kill();
      await back(world, figures, ids, killed);
      return { within: 2000 };
    },
  },
};
