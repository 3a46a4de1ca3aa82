'use strict';

const assert = require('node:assert/strict');
const asyncHooks = require('node:async_hooks');
const { describe, test } = require('node:test');
const v8 = require('node:v8');
const vm = require('node:vm');
const { Broker, Router } = require('..');
const { echo } = require('./helpers/classes');
const { onRedis } = require('./helpers/systems');
const { rejection, until } = require('../support/wait');

v8.setFlagsFromString('--expose-gc');
const collectGarbage = vm.runInNewContext('gc');

const COUNT = 25;
/** A port on which no server listens. */
const NO_SERVER = 'redis://127.0.0.1:1';

/** Waits until the garbage collector has taken every object that `make(n)` returned. */
async function collected(count, make) {
  let gone = 0;
  const registry = new FinalizationRegistry(() => { gone += 1; });
  for (let n = 0; n < count; n += 1) await make((object) => registry.register(object), n);
  await until(`all ${count} objects are collected (${gone} are)`, () => {
    collectGarbage();
    return gone === count;
  }, 10000).catch((error) => assert.fail(`${gone} of ${count} objects were collected: ${error.message}`));
}

/** A broker that did everything once: it made a worker, asked and told it, and has ended. */
async function liveOnce(broker) {
  broker.registerWorker(echo());
  broker.on('log', () => {});
  await broker.start();
  const agent = await broker.createWorker('Echo');
  assert.equal(await agent.ask('m', 1), 1);
  await agent.tell('m', 'x'.repeat(10000));
  await broker.destroy();
}

describe('the garbage collector takes a broker', () => {
  test('that was never started', () => collected(COUNT, (track, n) => track(new Broker(`b${n}`, { redis: 'memory://' }))));

  test('that was started, destroyed and closed', () => collected(COUNT, async (track, n) => {
    const broker = new Broker(`b${n}`, { redis: 'memory://' });
    track(broker);
    await liveOnce(broker);
    broker.quit();
  }));

  test('that was destroyed, although quit() was forgotten', () => collected(COUNT, async (track, n) => {
    const broker = new Broker(`b${n}`, { redis: 'memory://' });
    track(broker);
    await liveOnce(broker);
  }));

  test('that was restarted before it ended', () => collected(COUNT, async (track, n) => {
    const broker = new Broker(`b${n}`, { redis: 'memory://' });
    track(broker);
    await liveOnce(broker);
    await liveOnce(broker);
    broker.quit();
  }));

  test('whose start failed', () => collected(3, async (track, n) => {
    const broker = new Broker(`b${n}`, { redis: NO_SERVER });
    track(broker);
    assert.equal((await rejection(broker.start())).code, 'DW_ERR_REDIS');
  }));
});

onRedis((system) => {
  for (const sockets of ['loop', 'task']) {
    test(`the garbage collector takes a broker that was connected to another one, sockets: '${sockets}'`, async (t) => {
      const own = system(t);
      const { id } = await (await own.start('host', { classes: [echo()], sockets })).createWorker('Echo');
      await collected(COUNT, async (track, n) => {
        const broker = new Broker(`b${n}`, { ...own.option, sockets, clustername: 'guests' });
        track(broker);
        broker.registerWorker(echo());
        await broker.start();
        const agent = await broker.findWorker(id);
        assert.equal(await agent.ask('m', n), n);
        await broker.destroy();
        broker.quit();
      });
    });
  }
});

test('the garbage collector takes a router that was closed', () => collected(COUNT, async (track) => {
  const [here, there] = [new Router(), new Router()];
  track(here);
  const { address, port } = await there.listen('127.0.0.1');
  await here.request({ host: address, port }, 1);
  here.close();
  there.close();
}));

test('no open handle is left after destroy() and quit()', async () => {
  const open = new Map();
  const hook = asyncHooks.createHook({
    // Promises are no handles, and go when they are collected: Node's own, and those of bluebird where contexts are kept.
    init: (id, type) => { if (!/promise/i.test(type)) open.set(id, type); },
    destroy: (id) => open.delete(id),
  }).enable();
  try {
    const broker = new Broker('b', { redis: 'memory://' });
    await liveOnce(broker);
    broker.quit();
    const router = new Router();
    await router.listen('127.0.0.1');
    router.close();
    // What this test waits with is a timer, too.
    const handles = () => [...open.values()].filter((type) => type !== 'Timeout' && type !== 'Immediate' && type !== 'TickObject');
    await until('the handles are closed', () => handles().length === 0).catch(() => assert.deepEqual(handles(), []));
  } finally {
    hook.disable();
  }
  assert.deepEqual(process.getActiveResourcesInfo().filter((type) => /timer|timeout/i.test(type)), []);
});
