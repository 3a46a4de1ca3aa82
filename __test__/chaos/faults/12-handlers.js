'use strict';

/**
 * Handlers do everything wrong.
 */

/** Method → the code that the caller gets. */
const CODES = {
  throws: 'DW_ERR_REJECTED',
  rejectsText: 'DW_ERR_REJECTED',
  rejectsNothing: 'DW_ERR_REJECTED',
  never: 'DW_ERR_TIMEOUT',
  bigint: 'DW_ERR_REJECTED',
  cycle: 'DW_ERR_REJECTED',
  giant: 'DW_ERR_TOO_LARGE',
};
const ROUNDS = 5;

module.exports = {
  number: 12,
  title: 'a handler throws, rejects with a non-Error, never settles, returns a BigInt, a cycle or 20 MiB',
  target: 'caller gets a code by its deadline',
  variants: {
    async wrong(world, figures) {
      await world.system({ brokers: 2, recoverable: 40, others: 10 });
      await world.load(40, { methods: ['quick', 'short', 'tell'] });
      const [broker] = world.brokers;
      const local = world.observer.of(broker.name);
      const remote = world.observer.of(world.brokers[1].name);
      const codes = {};
      await Promise.all(Object.keys(CODES).map(async (method) => {
        codes[method] = new Set();
        for (let n = 0; n < ROUNDS; n += 1) {
          const outcomes = await Promise.all([local, remote].map((ids) => broker.run('ask', world.random.pick(ids), method)));
          for (const { ok, code } of outcomes) codes[method].add(ok ? 'ok' : code);
        }
      }));
      for (const [method, code] of Object.entries(CODES)) figures.equal(method, [...codes[method]].sort().join(' '), code);
      return {};
    },
  },
};
