'use strict';

/**
 * Two brokers cannot reach each other; both reach Redis and the third.
 */

const { sleep } = require('../../../support/wait');
const { missing } = require('../tools/network');
const { hosts } = require('./07-cut-from-redis');

const CUT_MS = 12000;
/** Three pings are missed by then. */
const FOUND_MS = 4500;
const RATE = 80;

module.exports = {
  number: 8,
  title: 'cut broker ↔ broker only',
  target: 'no eviction; calls fail ≤ 1 s as unreachable',
  needs: missing,
  variants: {
    async cut(world, figures) {
      const { network, hosts: all } = await hosts(world);
      await world.load(RATE, { methods: ['tell', 'quick', 'quick', 'short'] });
      await sleep(1500 + world.random.below(500));
      const third = world.random.below(3);
      const [a, b] = [0, 1, 2].filter((n) => n !== third);
      const held = [a, b].map((n) => [world.brokers[n].name, new Set(world.observer.of(world.brokers[n].name))]);
      const time = world.fault('cut');
      network.cut(all[a], all[b]);
      await sleep(CUT_MS);
      const mended = world.heal();
      network.mend();
      await sleep(2500);
      const across = new Map();
      const [[nameA, ofA], [nameB, ofB]] = held;
      for (const { p, id, call, t, kind } of world.observer.since(time, 'call')) {
        if (kind === 'ask' && t < mended - 3000 && ((p === nameA && ofB.has(id)) || (p === nameB && ofA.has(id)))) across.set(call, t);
      }
      const outcomes = {};
      let slowest = 0;
      for (const { call, t, ok, code } of world.observer.since(time, 'settle', (line) => across.has(line.call))) {
        const made = across.get(call);
        if (made < time + FOUND_MS) continue;
        outcomes[ok ? 'ok' : code] = (outcomes[ok ? 'ok' : code] || 0) + 1;
        slowest = Math.max(slowest, t - made);
      }
      figures.equal('evictions', world.evictions(time), 0);
      figures.equal('outcomes', Object.keys(outcomes).join(' '), 'DW_ERR_UNREACHABLE');
      figures.most('slowest failure', slowest, 1000, 'ms');
      figures.note('calls', Object.values(outcomes).reduce((sum, n) => sum + n, 0));
      return {};
    },
  },
};
