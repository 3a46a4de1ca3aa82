'use strict';

/**
 * Wall clocks jump.
 */

const { sleep } = require('../../../support/wait');
const { Clock, missing } = require('../tools/clock');

const HOUR = 3600;
const RATE = 80;

function variant(whose, sign) {
  return async (world, figures) => {
    const clock = new Clock(world.directory);
    await world.redis(whose === 'Redis' ? { env: clock.env } : {});
    for (let n = 0; n < 3; n += 1) await world.broker(`b${n}`, {}, whose === 'broker' && n === 1 ? { env: clock.env } : {});
    await world.populate(180, 45);
    await world.load(RATE);
    await sleep(1500 + world.random.below(1000));
    const time = world.fault(`clock of ${whose}`);
    clock.set(sign * HOUR);
    if (whose === 'Redis') {
      const [seconds] = await world.server.command('TIME');
      figures.equal('jumped', Math.round((Number(seconds) - Date.now() / 1000) / HOUR), sign, 'h');
    }
    await sleep(7000);
    clock.set(0);
    await sleep(7000);
    world.heal();
    figures.equal('evictions', world.evictions(time), 0);
    figures.equal('workers moved', world.observer.since(time, 'activate').length, 0);
    const suspended = world.observer.since(time, 'suspended').length;
    figures.note('suspended', suspended);
    return {};
  };
}

module.exports = {
  number: 16,
  title: 'the clock of a broker, then of Redis, jumps ± 1 h',
  target: 'nobody evicted',
  needs: missing,
  variants: {
    'broker+': variant('broker', 1),
    'broker-': variant('broker', -1),
    'redis+': variant('Redis', 1),
    'redis-': variant('Redis', -1),
  },
};
