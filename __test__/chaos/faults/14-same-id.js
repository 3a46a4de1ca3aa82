'use strict';

/**
 * A second broker has the id of the first.
 */

const { sleep } = require('../../../support/wait');
const { now } = require('../history');

async function begin(world) {
  await world.system({ brokers: 3, recoverable: 150, others: 30 });
  await world.load(80);
  await sleep(800 + world.random.below(500));
  return world.random.pick(world.brokers);
}

/** Starts another process with that id: how long it took, and the code it was refused with. */
async function second(world, id) {
  const process = world.prepare(id);
  const time = now();
  const code = await process.start().then(() => undefined, (error) => error.code || error.message);
  if (code !== undefined) await process.kill();
  return { ms: now() - time, code };
}

module.exports = {
  number: 14,
  title: 'a broker id in use',
  target: 'second refused; after the first dies, taken over',
  short: ['live', 'dead', 'silent'],
  variants: {
    async live(world, figures) {
      const first = await begin(world);
      const time = world.fault('second broker');
      const { code, ms } = await second(world, first.id);
      figures.equal('refused with', code, 'DW_ERR_BROKER_ID_IN_USE');
      figures.note('after', ms, 'ms');
      world.heal();
      await sleep(1000);
      figures.equal('workers moved', world.observer.since(time, 'activate').length, 0);
      return {};
    },

    async dead(world, figures) {
      const first = await begin(world);
      await first.kill();
      world.heal();
      const { code, ms } = await second(world, first.id);
      figures.equal('refused', String(code), 'undefined');
      figures.most('started', ms, 1500, 'ms');
      return { within: 2500 };
    },

    async silent(world, figures) {
      const first = await begin(world);
      const time = now();
      first.stop();
      const { code } = await second(world, first.id);
      figures.equal('refused', String(code), 'undefined');
      figures.between('taken over', now() - time, 4500, 7500, 'ms');
      await sleep(1000);
      first.continue();
      world.heal();
      await sleep(3000);
      // Its id is taken, so it cannot join again.
      await first.kill();
      return { within: 2500 };
    },
  },
};
