'use strict';

/**
 * An event loop stands still.
 */

const { sleep } = require('../../../support/wait');
const { now } = require('../history');

const NEW = 30;
const NOTICED_MS = 2000;

function variant(seconds) {
  return async (world, figures) => {
    await world.system({ brokers: 3, recoverable: 180, others: 45 });
    await world.load(60);
    await sleep(1000 + world.random.below(500));
    const victim = world.random.pick(world.brokers);
    const caller = world.brokers.find((broker) => broker !== victim);
    const time = world.fault('block');
    const blocked = victim.run('block', seconds * 1000);
    await sleep(NOTICED_MS + 300);
    const ids = Array.from({ length: NEW }, (_, n) => `rb${n}`);
    const creating = now();
    const failures = await caller.run('create', { ids, recoverable: true, timeout: 8000 });
    const took = now() - creating;
    await blocked;
    world.heal();
    world.ids.push(...ids);
    await sleep(3000);
    figures.equal('evictions', world.evictions(time), 0);
    figures.equal('placed on the blocked', world.observer.since(time, 'activate', ({ p, id }) => p === victim.name && ids.includes(id)).length, 0);
    figures.equal('failed creations', Object.values(failures).reduce((sum, n) => sum + n, 0), 0);
    figures.most('creating', took, 1000, 'ms');
    figures.equal('workers moved', world.observer.since(time, 'activate', ({ id }) => !ids.includes(id)).length, 0);
    return {};
  };
}

module.exports = {
  number: 11,
  title: 'event loop blocked 3, 10, 60 s',
  target: 'no eviction; no new placements after 2 s',
  variants: { '3s': variant(3), '10s': variant(10), '60s': variant(60) },
};
