'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { echo } = require('./helpers/classes');
const { onEachCoordinator, onRedis } = require('./helpers/systems');
const { rejection, until } = require('../support/wait');

const recoverable = { attributes: { recoverable: true } };

/** The brokers that workers were placed on, by the id of the worker. */
async function owners(broker) {
  const found = {};
  for await (const { id, broker: owner } of broker.listWorkers()) found[id] = owner;
  return found;
}

onEachCoordinator((system) => {
  test('a cordoned broker gets no new workers, keeps those that it runs, and gets new ones again after uncordon()', async (t) => {
    const s = system(t);
    const a = await s.start('a', { classes: [echo('Room')] });
    const before = await a.createWorker('Room', { id: 'before' });
    const b = await s.start('b', { classes: [echo('Room')] });
    await a.cordon();
    await Promise.all(Array.from({ length: 10 }, (_, n) => a.createWorker('Room', { id: `r${n}` })));
    const { before: first, ...others } = await owners(b);
    assert.equal(first, 'a');
    assert.deepEqual(new Set(Object.values(others)), new Set(['b']));
    assert.equal(await before.ask('m', 7), 7);
    assert.deepEqual((await b.listBrokers()).map(({ id, cordoned }) => [id, cordoned]), [['a', true], ['b', false]]);
    await a.uncordon();
    await b.cordon();
    await b.createWorker('Room', { id: 'after' });
    assert.equal((await owners(b)).after, 'a');
  });

  test('where all brokers of a class are cordoned, nothing is created and the error says so', async (t) => {
    const s = system(t);
    const a = await s.start('a', { classes: [echo('Room')] });
    await a.cordon();
    const error = await rejection(a.createWorker('Room'));
    assert.deepEqual([error.code, error.delivered], ['DW_ERR_NO_BROKER', 'no']);
    assert.match(error.message, /cordoned/);
    await a.uncordon();
    assert.equal(await (await a.createWorker('Room')).ask('m', 1), 1);
  });

  test('a message wakes a worker on a broker that is not cordoned', async (t) => {
    const s = system(t);
    const a = await s.start('a', { classes: [echo('Room')] });
    assert.equal(await a.get('Room', 'x').ask('m', 1), 1);
    const b = await s.start('b', { classes: [echo('Room')] });
    const c = await s.start('c', { classes: [echo('Room')] });
    await b.cordon();
    await a.destroy();
    assert.equal(await b.get('Room', 'x').ask('m', 2), 2);
    assert.deepEqual(await owners(b), { 'Room/x': 'c' });
    assert.equal(c.load, 1);
  });

  test('a cordoned broker recovers no workers, and claims what waits when that ends', async (t) => {
    const s = system(t);
    const a = await s.start('a', { classes: [echo('Room')] });
    await a.createWorker('Room', { id: 'r', ...recoverable });
    const b = await s.start('b', { classes: [echo('Room')] });
    await b.cordon();
    await a.destroy();
    assert.equal((await b.inspect('r')).state, 'pending');
    await b.uncordon();
    await until('the worker is recovered', async () => (await b.inspect('r')).broker === 'b');
  });

  test('ready follows start, cordon, uncordon and destroy, and each change is an event', async (t) => {
    const s = system(t);
    const a = s.broker('a');
    const seen = [];
    a.on('ready', (ready) => seen.push([ready, a.ready]));
    assert.equal(a.ready, false);
    await a.start();
    assert.equal(a.ready, true);
    await a.cordon();
    assert.equal(a.ready, false);
    await a.cordon();
    await a.uncordon();
    await a.destroy();
    assert.equal(a.ready, false);
    assert.deepEqual(seen, [[true, true], [false, false], [true, true], [false, false]]);
  });

  test('cordon() needs a broker that is started, takes a callback, and ends with the life of the broker', async (t) => {
    const s = system(t);
    const a = s.broker('a');
    assert.equal((await rejection(a.cordon())).code, 'DW_ERR_STATE');
    await a.start();
    await new Promise((resolve, reject) => a.cordon((error) => (error ? reject(error) : resolve())));
    await a.restart();
    await until('the broker is ready', () => a.ready);
    assert.equal((await a.listBrokers())[0].cordoned, false);
  });
});

onRedis((system, server) => {
  test('a broker that was evicted and joins again is still cordoned', async (t) => {
    const s = system(t);
    const a = await s.start('a');
    const b = await s.start('b');
    const seen = [];
    a.on('ready', (ready) => seen.push(ready));
    await a.cordon();
    const [{ incarnation }] = await b.listBrokers();
    await server().command(`ZREM {${s.option.ns}}:leases ${incarnation}`);
    const isNew = ({ id, incarnation: other }) => id === 'a' && other !== incarnation;
    const again = await until('the broker has joined again', async () => (await b.listBrokers()).find(isNew), 20_000);
    assert.equal(again.cordoned, true);
    assert.equal(a.ready, false);
    await a.uncordon();
    assert.deepEqual(seen, [false, true]);
  });
});
