'use strict';

/**
 * Far more work than can be done; half of a large system is lost.
 */

const { setPriority } = require('node:os');
const { sleep, until } = require('../../../support/wait');
const { now } = require('../history');

/** From each of two callers; handlers of 2 ms let a broker do 500 a second, and ten times that comes. */
const CALLS = 10000;
const BURST = 25;
const WORKERS = 20000;
/** µs: what Redis counts as slow here. */
const STALL_US = 10000;

/**
 * Lets Redis have a processor whenever it wants one, as on a machine of its own: the slow log counts the time that it
 * waits for one in the midst of a command, and here all the brokers want the same two. Needs root.
 */
function preferred(pid) {
  try {
    setPriority(pid, -20);
    return true;
  } catch {
    return false;
  }
}

module.exports = {
  number: 17,
  title: '10× overload; 2 of 4 brokers killed with 20 000 workers',
  target: 'sheds, does not die; no Redis stall > 10 ms',
  variants: {
    async overload(world, figures) {
      await world.system({ brokers: 3, recoverable: 60, others: 15 });
      await world.load(50);
      await sleep(1000);
      const victim = world.random.pick(world.brokers);
      const callers = world.brokers.filter((broker) => broker !== victim);
      const ids = world.observer.of(victim.name);
      const flood = () => Promise.all(callers.map((broker) => broker.run('flood', { ids, count: CALLS, method: 'busy', burst: BURST })));
      // A heap that grew to what one flood needs stays so; what a second one adds is a leak.
      await flood();
      await sleep(1500);
      await world.sample('before');
      const time = world.fault('overload');
      const outcomes = await flood();
      world.heal();
      const sum = {};
      for (const one of outcomes) for (const [key, count] of Object.entries(one)) sum[key] = (sum[key] || 0) + count;
      figures.note('outcomes', JSON.stringify(sum));
      const allowed = new Set(['ok', 'DW_ERR_OVERLOADED', 'DW_ERR_TIMEOUT']);
      figures.equal('other outcomes', Object.keys(sum).filter((key) => !allowed.has(key)).join(' '), '');
      await sleep(1000);
      const asked = now();
      const { ok } = await callers[0].run('ask', ids[0], 'quick');
      figures.equal('answers afterwards', ok, true);
      figures.most('after', now() - asked, 300, 'ms');
      figures.equal('evictions', world.evictions(time), 0);
      await sleep(1500);
      await world.sample('after');
      return {};
    },

    async halves(world, figures) {
      await world.redis({ settings: { 'slowlog-log-slower-than': STALL_US, 'slowlog-max-len': 1000 } });
      figures.note('Redis first', preferred(world.server.child.pid));
      await world.system({ brokers: 4, recoverable: WORKERS, others: 0 });
      await world.load(50);
      await sleep(1500);
      const victims = world.brokers.slice(0, 2);
      const ids = victims.flatMap((victim) => world.observer.of(victim.name));
      await world.server.command('SLOWLOG', 'RESET');
      const killed = world.heal();
      await Promise.all(victims.map((victim) => victim.kill()));
      const back = () => world.observer.since(killed, 'activate', ({ cause }) => cause === 1);
      await until('the workers are active again', () => new Set(back().map(({ id }) => id)).size >= ids.length, 20000).catch(() => {});
      const slow = await world.server.command('SLOWLOG', 'GET', '100');
      const times = back().map(({ t }) => t - killed);
      figures.note('workers', ids.length);
      figures.most('all back', new Set(back().map(({ id }) => id)).size < ids.length ? Infinity : Math.max(...times), 4000, 'ms');
      figures.equal('Redis stalls', slow.length, 0);
      if (slow.length > 0) figures.note('longest', Math.max(...slow.map(([, , us]) => us)) / 1000, 'ms');
      return { within: 5000 };
    },
  },
};
