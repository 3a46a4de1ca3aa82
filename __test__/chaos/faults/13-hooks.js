'use strict';

/**
 * `onCreate` or `onDestroy` throws or hangs.
 */

const { sleep } = require('../../../support/wait');
const { now } = require('../history');

const EACH = 12;
/** `destroyTimeout` is 5 s; what follows it is the leaving itself. */
const LIMIT_MS = 5300;

function variant(classes, limit) {
  return async (world, figures) => {
    await world.system({ brokers: 3, recoverable: 60, others: 30 });
    const victim = world.random.pick(world.brokers);
    const plans = classes.flatMap((name) => [true, false].map((recoverable) => ({
      name, recoverable, attributes: { at: victim.id }, once: true,
      ids: Array.from({ length: EACH }, (_, n) => `${recoverable ? 'r' : 'n'}-${name}-${n}`),
    })));
    await Promise.all(plans.map((plan) => world.brokers.find((broker) => broker !== victim).run('create', plan)));
    world.ids.push(...plans.flatMap(({ ids }) => ids));
    await world.load(50, { methods: ['tell', 'quick', 'short'] });
    await sleep(500 + world.random.below(500));
    const leaving = world.observer.of(victim.name);
    figures.note('workers', leaving.length);
    await victim.run('stopLoad');
    const time = world.fault('destroy');
    await victim.run('destroy');
    figures.most('destroy', now() - time, limit, 'ms');
    await victim.kill();
    world.heal();
    await sleep(2500);
    const ghosts = leaving.filter((id) => id.startsWith('n'));
    const found = await Promise.all(ghosts.map((id) => world.alive[0].run('find', id).catch(() => true)));
    figures.equal('ghosts', found.filter(Boolean).length, 0);
    return { within: 2500 };
  };
}

module.exports = {
  number: 13,
  title: 'onCreate or onDestroy throws or hangs',
  target: 'destroy ends ≤ 5 s; no ghost',
  short: ['throws', 'hangs'],
  variants: {
    throws: variant(['CreateThrows', 'DestroyThrows'], LIMIT_MS),
    hangs: variant(['CreateHangs', 'DestroyHangs'], LIMIT_MS),
  },
};
