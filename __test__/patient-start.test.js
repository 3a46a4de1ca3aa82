'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Broker } = require('..');
const { LateRedis } = require('./helpers/late-redis');
const { onRedis } = require('./helpers/systems');

/** Longer than one command may take, ms. */
const LATE_MS = 2500;

onRedis((system) => {
  test('a start goes on while Redis, which was reached, answers later than a command may take', async (t) => {
    const s = system(t);
    const proxy = await LateRedis.start(Number(new URL(s.option.redis).port), 0);
    t.after(() => proxy.close());
    let silentUntil = 0;
    Object.defineProperty(proxy, 'delay', { get: () => Math.max(0, silentUntil - Date.now()) });
    // Scripts run only once both connections are open and were examined.
    proxy.asked = (bytes) => {
      if (silentUntil === 0 && bytes.includes('EVALSHA')) silentUntil = Date.now() + LATE_MS;
    };
    const broker = await s.start('patient', { redis: proxy.url });
    assert.ok(Date.now() >= silentUntil && silentUntil > 0, 'it was made to wait');
    assert.equal(broker.state, Broker.State.ACTIVE);
  });
});
