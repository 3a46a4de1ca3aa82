'use strict';

/**
 * A broker cannot reach Redis; everybody else can, and it them.
 */

const { sleep, until } = require('../../../support/wait');
const { Network, missing } = require('../tools/network');

const CUT_MS = 9000;
const RATE = 100;

/** Redis and three brokers, each on a host of its own. */
async function hosts(world) {
  const network = new Network();
  world.undo.push(() => network.forget());
  const redis = network.host();
  const hostsOf = [network.host(), network.host(), network.host()];
  await world.redis({ host: redis.address, wrap: redis.wrap });
  await Promise.all(hostsOf.map((host, n) => world.broker(`b${n}`, {}, { wrap: host.wrap })));
  await world.populate(180, 45);
  return { network, redis, hosts: hostsOf };
}

module.exports = {
  hosts,
  number: 7,
  title: 'cut broker ↔ Redis only',
  target: 'suspends ≥ 0.8 s before anyone recovers',
  needs: missing,
  variants: {
    async cut(world, figures) {
      const { network, redis, hosts: all } = await hosts(world);
      await world.load(RATE);
      await sleep(1500 + world.random.below(500));
      const n = world.random.below(all.length);
      const victim = world.brokers[n];
      const held = world.observer.of(victim.name);
      const time = world.fault('cut');
      network.cut(all[n], redis);
      await sleep(CUT_MS);
      network.mend();
      world.heal();
      const recovered = world.observer.since(time, 'activate', ({ p, cause }) => p !== victim.name && cause === 1);
      const suspended = world.observer.since(time, 'suspended', ({ p }) => p === victim.name);
      figures.note('suspended', suspended.length === 0 ? 'never' : Math.round(suspended[0].t - time), 'ms');
      figures.most('recovered', recovered.length === 0 ? Infinity : recovered[0].t - time, 6000, 'ms');
      figures.least('gap', suspended.length === 0 || recovered.length === 0 ? -Infinity : recovered[0].t - suspended[0].t, 800, 'ms');
      const fenced = () => world.observer.since(time, 'deactivate', ({ p, cause }) => p === victim.name && cause === 2);
      await until('the old instances are FENCED', () => fenced().length >= held.length, 6000).catch(() => {});
      figures.equal('fenced', fenced().length, held.length);
      return { within: 2500 };
    },
  },
};
