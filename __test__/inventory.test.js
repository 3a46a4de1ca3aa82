'use strict';

const assert = require('node:assert/strict');
const { hostname } = require('node:os');
const { test } = require('node:test');
const { version } = require('../package.json');
const { Worker } = require('..');
const { onEachCoordinator, onRedis, memorySystem } = require('./helpers/systems');
const { echo } = require('./helpers/classes');
const { rejection, until } = require('../support/wait');

async function all(iterable) {
  const found = [];
  for await (const each of iterable) found.push(each);
  return found;
}

const ids = (workers) => workers.map(({ id }) => id).sort();

onEachCoordinator((system) => {
  test('listBrokers shows each broker with its classes, load, workers, lease and process', async (t) => {
    const s = system(t);
    const a = await s.start('a', { classes: [echo('Room'), echo('Hall')] });
    const b = await s.start('b', { clustername: 'side' });
    await a.createWorker('Room', { id: 'r' });
    const [first, second, ...rest] = await b.listBrokers();
    assert.deepEqual(rest, []);
    const { incarnation, address, leaseExpiresIn, ...shown } = first;
    assert.deepEqual(shown, {
      id: 'a', cluster: 'main', classes: ['Hall', 'Room'], load: a.load, workers: 1, cordoned: false, version, host: hostname(), pid: process.pid,
    });
    assert.match(incarnation, /^[0-9a-f]{32}$/);
    assert.ok(address.length > 0 && leaseExpiresIn > 0);
    assert.deepEqual([second.id, second.cluster, second.classes, second.workers], ['b', 'side', [], 0]);
  });

  test('listWorkers iterates over all workers and makes none of them', async (t) => {
    const s = system(t);
    let made = 0;
    class Room extends Worker {
      async onCreate() {
        made += 1;
      }
    }
    const a = await s.start('a', { classes: [Room] });
    const wanted = Array.from({ length: 30 }, (_, n) => `r${n}`);
    await Promise.all(wanted.map((id) => a.createWorker('Room', { id, attributes: { recoverable: true } })));
    const b = await s.start('b');
    const workers = await all(b.listWorkers());
    assert.deepEqual(ids(workers), [...wanted].sort());
    assert.equal(made, 30);
    const [{ epoch, createdAt, ...worker }] = workers.filter(({ id }) => id === 'r7');
    assert.deepEqual(worker, { id: 'r7', class: 'Room', cluster: 'main', broker: 'a', state: 'active', load: 1, recoverable: true });
    assert.ok(BigInt(epoch) > 0n && Math.abs(Date.now() - createdAt) < 60000);
  });

  test('listWorkers with a limit gives pages, and a filter leaves out the others', async (t) => {
    const s = system(t);
    const a = await s.start('a', { classes: [echo('Room'), echo('Hall')] });
    await Promise.all(['1', '2', '3', '4', '5'].map((id) => a.createWorker('Room', { id })));
    await a.createWorker('Hall', { id: 'h' });
    const found = [];
    let page = await a.listWorkers({ limit: 2 });
    for (;;) {
      assert.ok(page.workers.length <= 2);
      found.push(...page.workers);
      if (page.cursor === undefined) break;
      page = await a.listWorkers({ limit: 2, cursor: page.cursor });
    }
    assert.deepEqual(ids(found), ['1', '2', '3', '4', '5', 'h']);
    assert.deepEqual(ids(await all(a.listWorkers({ name: 'Hall' }))), ['h']);
    assert.deepEqual(ids(await all(a.listWorkers({ clustername: 'side' }))), []);
    assert.deepEqual((await all(a.listWorkers({ broker: 'a', state: 'active' }))).length, 6);
    const [error, called] = await new Promise((resolve) => a.listWorkers({ limit: 10 }, (...args) => resolve(args)));
    assert.deepEqual([error, called.workers.length], [null, 6]);
  });

  test('inspect shows a worker with its attributes, and why it waits', async (t) => {
    const s = system(t);
    const a = await s.start('a', { classes: [echo('Room')] });
    const b = await s.start('b');
    await a.createWorker('Room', { id: 'r', attributes: { recoverable: true, owner: 'ada' } });
    const { epoch, createdAt, ...worker } = await b.inspect('r');
    assert.ok(BigInt(epoch) > 0n && createdAt > 0);
    assert.deepEqual(worker, {
      id: 'r', class: 'Room', cluster: 'main', broker: 'a', state: 'active', load: 1, recoverable: true, attributes: { recoverable: true, owner: 'ada', static: false },
    });
    assert.equal(await b.inspect('nobody'), null);
    await a.destroy();
    await until('its broker is known to be gone', async () => /no broker of the cluster "main" hosts the class "Room"/.test((await b.inspect('r')).reason));
    assert.deepEqual([(await b.inspect('r')).state, (await b.inspect('r')).broker], ['pending', null]);
  });
});

onRedis((system) => {
  test('every worker that lived the whole time is listed once, also while workers come and go', async (t) => {
    const s = system(t);
    const a = await s.start('a', { classes: [echo('Room')] });
    const lasting = Array.from({ length: 2000 }, (_, n) => `lasting${n}`);
    await Promise.all(lasting.map((id) => a.createWorker('Room', { id })));
    let ended = false;
    let passing = 0;
    const churn = (async () => {
      while (!ended) {
        await Promise.all(Array.from({ length: 20 }, () => a.createWorker('Room', { id: `passing${(passing += 1)}` })));
      }
    })();
    const workers = await all(a.listWorkers());
    ended = true;
    await churn;
    const found = ids(workers).filter((id) => id.startsWith('lasting'));
    assert.deepEqual(found, [...lasting].sort());
    assert.ok(passing > 0);
  });

  test('a namespace whose name is a pattern lists its own workers alone', async (t) => {
    const s = system(t);
    for (const ns of ['a[b]*', 'ab*', 'a?b', 'x']) {
      const broker = await s.start('b', { classes: [echo('Room')], ns });
      await broker.createWorker('Room', { id: `of ${ns}` });
    }
    for (const broker of s.brokers) {
      const [{ id }] = await all(broker.listWorkers());
      assert.equal((await all(broker.listWorkers())).length, 1);
      assert.match(id, /^of /);
    }
  });
});

test('a wrong option of listWorkers is refused with what was expected', async (t) => {
  const broker = await memorySystem(t).start('a');
  assert.throws(() => broker.listWorkers({ state: 'alive' }), { code: 'DW_ERR_CONFIG', message: /one of "placing", "active".*option\.state.*"alive"/ });
  assert.throws(() => broker.listWorkers({ name: 7 }), { code: 'DW_ERR_CONFIG' });
  assert.throws(() => broker.listWorkers('Room'), { code: 'DW_ERR_CONFIG' });
  for (const option of [{ limit: 0 }, { limit: 1.5 }, { limit: 10001 }, { cursor: 7 }, { cursor: 'nonsense' }]) {
    assert.equal((await rejection(broker.listWorkers(option))).code, 'DW_ERR_CONFIG', JSON.stringify(option));
  }
  assert.equal((await rejection(broker.inspect(''))).code, 'DW_ERR_CONFIG');
});

test('nothing is listed by a broker that is not started', async (t) => {
  const broker = memorySystem(t).broker('a');
  assert.equal((await rejection(broker.listBrokers())).code, 'DW_ERR_STATE');
  assert.equal((await rejection(broker.inspect('r'))).code, 'DW_ERR_STATE');
  assert.equal((await rejection(all(broker.listWorkers()))).code, 'DW_ERR_STATE');
});
