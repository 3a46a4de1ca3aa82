'use strict';

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const Bluebird = require('bluebird');
const { Agent, Router } = require('..');
const { memorySystem } = require('./helpers/systems');
const { echo } = require('./helpers/classes');
const { rejection, sleep } = require('../support/wait');

/** Every call that gives a promise, as `[name, promise]`; the broker is ACTIVE again at the end. */
async function everyCall(broker) {
  const promises = [];
  const keep = (name, promise) => {
    promises.push([name, promise]);
    return promise;
  };
  await keep('start', broker.start());
  const agent = await keep('createWorker', broker.createWorker('Echo'));
  await keep('findWorker', broker.findWorker(agent.id));
  await keep('ask', agent.ask('m', 1));
  await keep('tell', agent.tell('m', 1));
  await keep('restart', broker.restart());
  const refused = [
    keep('start in vain', broker.start()),
    keep('createWorker in vain', broker.createWorker('None')),
    keep('findWorker in vain', broker.findWorker('')),
    keep('ask in vain', agent.ask(null)),
    keep('tell in vain', agent.tell(null)),
  ];
  await Promise.allSettled(refused);
  await keep('destroy', broker.destroy());
  return promises;
}

describe('option.promise', () => {
  test('is bluebird by default', async (t) => {
    for (const option of [{}, { promise: 'bluebird' }]) {
      const broker = memorySystem(t).broker('b', { classes: [echo()], ...option });
      for (const [name, promise] of await everyCall(broker)) assert.ok(promise instanceof Bluebird, name);
    }
  });

  test("may be 'native'", async (t) => {
    const broker = memorySystem(t).broker('b', { classes: [echo()], promise: 'native' });
    for (const [name, promise] of await everyCall(broker)) assert.equal(promise.constructor, Promise, name);
  });

  test('may be a constructor', async (t) => {
    class Own extends Promise {}
    const broker = memorySystem(t).broker('b', { classes: [echo()], promise: Own });
    for (const [name, promise] of await everyCall(broker)) assert.ok(promise instanceof Own, name);
  });
});

test('the methods of bluebird work on what calls return', async (t) => {
  const broker = await memorySystem(t).start('b', { classes: [echo()] });
  const agent = await broker.createWorker('Echo').tap((made) => assert.equal(made.id, 'Echo#1'));
  assert.equal(await agent.ask('m', 5).delay(5).finally(() => {}), 5);
  await new Promise((resolve, reject) => {
    agent.ask('m', 6).nodeify((error, value) => (error ? reject(error) : resolve(value)));
  }).then((value) => assert.equal(value, 6));
  await new Promise((resolve) => agent.tell('m').done(resolve));
});

test('a router gives bluebird promises', async () => {
  const router = new Router();
  const listening = router.listen('127.0.0.1');
  assert.ok(listening instanceof Bluebird);
  await listening;
  router.close();
});

for (const promise of ['bluebird', 'native']) {
  describe(`with ${promise} promises`, () => {
    const unhandled = [];
    const listener = (reason) => unhandled.push(reason);
    before(() => process.on('unhandledRejection', listener));
    after(() => process.off('unhandledRejection', listener));

    test('a tell that is not awaited raises no unhandledRejection, and one that is awaited rejects', async (t) => {
      const broker = await memorySystem(t).start('b', { promise, retries: { duration: 20 } });
      const agent = new Agent('nobody', broker);
      agent.tell('m');
      agent.tell(null);
      agent.tell('m', 10n);
      assert.match((await rejection(agent.tell('m'))).code, /^DW_ERR_/);
      assert.equal((await rejection(agent.tell(null))).code, 'DW_ERR_CONFIG');
      await broker.destroy();
      agent.tell('m');
      await sleep(20);
      assert.deepEqual(unhandled, []);
    });

    test('a call in callback form raises none either, nor does a restart that fails', async (t) => {
      const broker = await memorySystem(t).start('b', { promise });
      await new Promise((resolve) => broker.createWorker('None', resolve));
      broker.restartAll();
      await broker.destroy().catch(() => {});
      broker.restartAll();
      await sleep(50);
      assert.deepEqual(unhandled, []);
    });
  });
}
