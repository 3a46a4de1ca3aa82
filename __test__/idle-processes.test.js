'use strict';

const assert = require('node:assert/strict');
const path = require('node:path');
const { after, before, test } = require('node:test');
const { Worker } = require('..');
const { atEnd } = require('./helpers/cleanup');
const { Child } = require('../support/child');
const { startRedis } = require('../support/redis-server');
const { until } = require('../support/wait');

const PROGRAM = path.join(__dirname, 'fixtures', 'sleepers.js');
const SEED = Number(process.env.DWORKER_TEST_SEED || 1);
const TIMEOUT = 60_000;

let server;
let namespaces = 0;
before(async () => {
  server = await startRedis();
});
after(() => server.stop());

/** Brokers in processes of their own. */
async function processes(t, ids) {
  namespaces += 1;
  const option = { redis: server.url, ns: `i${namespaces}` };
  return Promise.all(ids.map(async (id, n) => {
    const child = new Child(PROGRAM, [JSON.stringify({ id, seed: SEED * 100 + n, option })], { name: `The process of broker ${id}` });
    atEnd(t, () => child.kill());
    await child.ready();
    await child.call('start');
    return child;
  }));
}

/** The lives of each worker in the order of their epochs. */
function byWorker(lives) {
  const workers = new Map();
  for (const life of lives) workers.set(life.worker, [...(workers.get(life.worker) || []), life]);
  for (const all of workers.values()) all.sort((a, b) => (BigInt(a.epoch) < BigInt(b.epoch) ? -1 : 1));
  return workers;
}

test('while workers sleep at random, no message of many senders is lost, doubled or overtaken', async (t) => {
  t.diagnostic(`DWORKER_TEST_SEED=${SEED}`);
  const all = await processes(t, ['a', 'b', 'c']);
  const keys = ['Sleeper', 'Serial'].flatMap((className) => [1, 2, 3, 4].map((n) => [className, String(n)]));
  const count = 60;
  const talks = (await Promise.all(all.map((child) => child.call('talk', keys, count, TIMEOUT)))).flat();
  for (const { outcomes } of talks) assert.deepEqual(outcomes.filter(({ ok }) => !ok), []);
  await until('all sleep', async () => (await all[0].call('asleep')).every((state) => state === 'asleep'), TIMEOUT);
  const workers = byWorker((await Promise.all(all.map((child) => child.call('lives')))).flat());
  let sleeps = 0;
  for (const [, lives] of workers) {
    sleeps += lives.length;
    for (const [index, { cause, end, from }] of lives.entries()) {
      assert.deepEqual([cause, end], [index === 0 ? Worker.CreateCause.NEW : Worker.CreateCause.WAKE, Worker.DestroyCause.IDLE]);
      if (index > 0) assert.ok(from > lives[index - 1].to, 'an instance began after the onDestroy of the one before');
    }
  }
  for (const { worker, by } of talks) {
    const seen = workers.get(worker).flatMap(({ messages }) => messages).filter((message) => message.by === by);
    assert.deepEqual(seen.map(({ n }) => n), [...Array(count).keys()], `${by} → ${worker}`);
  }
  assert.ok(sleeps > 3 * keys.length, `workers slept ${sleeps} times`);
});

test('a process that is killed in the onDestroy of an idle worker leaves a worker that answers', async (t) => {
  const [a, b] = await processes(t, ['a', 'b']);
  const stuck = Promise.race([a, b].map((child) => child.call('stick').then(() => child)));
  await a.call('ask', 'Sleeper', 'x', { by: 'a', n: 0 });
  const host = await stuck;
  const caller = host === a ? b : a;
  // Nothing tells whether an ask that was on its way to the dead process was handled; a new one is.
  const late = caller.call('ask', 'Sleeper', 'x', { by: 'x', n: 1 }).catch(({ code }) => assert.equal(code, 'DW_ERR_PEER_LOST'));
  await host.kill();
  await late;
  assert.equal(await caller.call('ask', 'Sleeper', 'x', { by: 'x', n: 2 }), 2);
});
