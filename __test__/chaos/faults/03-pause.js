'use strict';

/**
 * A process stands still for less than its lease.
 */

const { sleep } = require('../../../support/wait');

const PAUSE_MS = 3000;
const RATE = 150;

module.exports = {
  number: 3,
  title: 'SIGSTOP 3 s',
  target: 'no eviction',
  short: ['stop'],
  variants: {
    async stop(world, figures) {
      await world.system({ brokers: 3, recoverable: 300, others: 60 });
      await world.load(RATE);
      await sleep(1000 + world.random.below(1000));
      const victim = world.random.pick(world.alive);
      const time = world.fault('pause');
      victim.stop();
      await sleep(PAUSE_MS);
      victim.continue();
      world.heal();
      await sleep(4000);
      figures.equal('evictions', world.evictions(time), 0);
      figures.equal('workers moved', world.observer.since(time, 'activate').length, 0);
      return {};
    },
  },
};
