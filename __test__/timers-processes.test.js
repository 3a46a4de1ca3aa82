'use strict';

const assert = require('node:assert/strict');
const path = require('node:path');
const { after, before, test } = require('node:test');
const { atEnd } = require('./helpers/cleanup');
const { Child } = require('../support/child');
const { randomness } = require('../support/random');
const { startRedis } = require('../support/redis-server');
const { sleep, until } = require('../support/wait');

const PROGRAM = path.join(__dirname, 'fixtures', 'timers.js');
const WORKERS = 20;
const TIMERS = 10;

let server;
before(async () => {
  server = await startRedis();
});
after(() => server.stop());

async function start(t, id) {
  const child = new Child(PROGRAM, [JSON.stringify({ id, option: { redis: server.url, ns: 'timers' } })], { name: `The process of broker ${id}` });
  atEnd(t, () => child.kill());
  await child.ready();
  await child.call('start');
  return child;
}

test('while hosts are killed no timer is missed, and none changes the data twice', async (t) => {
  const random = randomness(t);
  const all = [await start(t, 'a'), await start(t, 'b'), await start(t, 'c')];
  const keys = Array.from({ length: WORKERS }, (_, n) => `w${n}`);
  const delays = keys.map(() => Array.from({ length: TIMERS }, () => random.between(1, 2500)));
  await all[0].call('set', keys, delays);
  for (const victim of [all[1], all[2]]) {
    await sleep(random.between(200, 700));
    await victim.kill();
  }
  const rest = await start(t, 'd');
  for (const key of keys) {
    const fired = await until(`all timers of ${key} have fired`, async () => {
      const found = await rest.call('fired', key);
      return found.length >= TIMERS && found;
    }, 60_000);
    assert.deepEqual([...fired].sort((a, b) => a - b), [...Array(TIMERS).keys()]);
  }
});
