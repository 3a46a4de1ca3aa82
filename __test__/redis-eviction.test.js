'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Broker } = require('..');
const { startRedis } = require('../support/redis-server');
const { atEnd } = require('./helpers/cleanup');

for (const [policy, warns] of [['allkeys-lru', true], ['volatile-lru', false], ['noeviction', false]]) {
  test(`a broker ${warns ? 'warns' : 'does not warn'} where the server's maxmemory-policy is ${policy}`, async (t) => {
    const server = await startRedis({ settings: { 'maxmemory-policy': policy } });
    atEnd(t, () => server.stop());
    const broker = new Broker('warned', { redis: server.url });
    const warnings = [];
    broker.on('log', ({ level, message }) => level === 'warn' && warnings.push(message));
    await broker.start();
    await broker.destroy();
    broker.quit();
    assert.equal(warnings.length, warns ? 1 : 0, warnings.join('\n'));
    if (warns) assert.match(warnings[0], /maxmemory-policy allkeys-lru\): set maxmemory-policy noeviction/);
  });
}
