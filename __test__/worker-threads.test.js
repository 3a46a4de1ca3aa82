'use strict';

const assert = require('node:assert/strict');
const { once } = require('node:events');
const path = require('node:path');
const { test } = require('node:test');
const { Worker: Thread, threadId } = require('node:worker_threads');
const { Worker } = require('..');
const { atEnd } = require('./helpers/cleanup');
const { onRedis } = require('./helpers/systems');
const { rejection, until } = require('../support/wait');

class Room extends Worker {
  onAsk(method, data) {
    return method === 'where' ? { broker: this.__priv.br.id, threadId } : data;
  }
}

async function startThread(t, id, option) {
  const thread = new Thread(path.join(__dirname, 'fixtures', 'thread.js'), { workerData: { id, option } });
  atEnd(t, () => thread.terminate());
  await once(thread, 'message');
  return thread;
}

onRedis((system) => {
  test('brokers in threads work with those of the main thread', async (t) => {
    const s = system(t);
    const main = await s.start('main', { classes: [Room] });
    const threads = [await startThread(t, 't1', s.option), await startThread(t, 't2', s.option)];
    const agents = [];
    for (let n = 0; n < 9; n += 1) agents.push(await main.createWorker('Room'));
    const places = await Promise.all(agents.map((agent) => agent.ask('where')));
    assert.deepEqual(new Set(places.map(({ broker }) => broker)), new Set(['main', 't1', 't2']));
    assert.equal(new Set(places.map((place) => place.threadId)).size, 3);
    for (const thread of threads) {
      const ended = once(thread, 'exit');
      thread.postMessage('leave');
      assert.deepEqual(await ended, [0]);
    }
    assert.equal(await (await main.createWorker('Room')).ask('m', 'still here'), 'still here');
  });

  test('a thread that is terminated under load is a broker that died: its workers come back, calls fail at once', async (t) => {
    const s = system(t);
    const thread = await startThread(t, 'thread', s.option);
    const main = s.broker('main', { rpcTimeout: 4000, classes: [Room], retries: { duration: 10000 } });
    await main.start();
    const agents = [];
    for (let n = 0; n < 6; n += 1) agents.push(await main.createWorker('Room', { attributes: { recoverable: true } }));
    const places = await Promise.all(agents.map((agent) => agent.ask('where')));
    const far = agents.filter((_, n) => places[n].broker === 'thread');
    const near = agents.filter((_, n) => places[n].broker === 'main');
    assert.ok(far.length > 0 && near.length > 0);
    const loaded = once(thread, 'message');
    thread.postMessage(near[0].id);
    await loaded;
    const hanging = rejection(far[0].ask('hang'));
    await far[0].ask('m');
    const began = Date.now();
    await thread.terminate();
    assert.equal((await hanging).code, 'DW_ERR_PEER_LOST');
    assert.ok(Date.now() - began < 2000, `${Date.now() - began} ms`);
    for (const agent of far) {
      const place = await until(`${agent.id} answers`, () => agent.ask('where').catch(() => null), 15000);
      assert.equal(place.broker, 'main');
    }
  });

  test('threads may come and go many times while the main thread works', async (t) => {
    const s = system(t);
    const main = await s.start('main', { classes: [Room] });
    const agent = await main.createWorker('Room', { id: 'stays' });
    for (let n = 0; n < 8; n += 1) {
      const thread = await startThread(t, `t${n}`, s.option);
      if (n % 2 === 0) {
        thread.postMessage('stays');
        await once(thread, 'message');
      }
      await thread.terminate();
      assert.equal(await agent.ask('m', n), n);
    }
  });
});
