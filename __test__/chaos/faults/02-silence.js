'use strict';

/**
 * A process stands still for longer than its lease.
 */

const { sleep, until } = require('../../../support/wait');
const { now } = require('../history');

const SILENCE_MS = 8000;
const RATE = 150;

module.exports = {
  number: 2,
  title: 'SIGSTOP 8 s, then SIGCONT',
  target: 'recovered 4.5–5.7 s after the stop; no handler starts on the old instance; FENCED',
  short: ['stop'],
  variants: {
    async stop(world, figures) {
      await world.system({ brokers: 3, recoverable: 300, others: 60 });
      await world.load(RATE);
      await sleep(1500 + world.random.below(500));
      const victim = world.random.pick(world.alive);
      const held = world.observer.of(victim.name);
      const ids = held.filter((id) => id.startsWith('r'));
      const stopped = now();
      victim.stop();
      await sleep(SILENCE_MS);
      victim.continue();
      world.heal();
      const recovered = world.observer.since(stopped, 'activate', ({ p, cause }) => p !== victim.name && cause === 1);
      const times = recovered.map(({ t }) => t - stopped);
      figures.between('first recovered', times.length === 0 ? Infinity : Math.min(...times), 4500, 5700, 'ms');
      figures.most('last recovered', times.length === 0 ? Infinity : Math.max(...times), 6000, 'ms');
      figures.equal('recovered', new Set(recovered.map(({ id }) => id)).size, ids.length);
      const fenced = () => world.observer.since(stopped, 'deactivate', ({ p, cause }) => p === victim.name && cause === 2);
      await until('the old instances are FENCED', () => fenced().length >= held.length, 4000).catch(() => {});
      figures.equal('fenced', fenced().length, held.length);
      return { within: 2000 };
    },
  },
};
