'use strict';

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { Agent, Worker } = require('..');
const { kCore } = require('../lib/base/symbols');
const { memorySystem } = require('./helpers/systems');
const { rejection, until } = require('../support/wait');

/** Five times what the stack took when the end of a call ended its handler's calls by recursion. `DWORKER_TEST_DEPTH`: more. */
const MANY = Number(process.env.DWORKER_TEST_DEPTH || 10_000);
/** As many messages as wait for handlers of one process at most, `MAX_MESSAGES` of lib/runtime/messages/direct.js. */
const ROOM = 32_768;
const OPTION = { timeout: 60_000 };

const MULTITUDE = Math.max(MANY, ROOM + 1000);

/** Asks itself: `'down'` one in another, `'wide'` all at once. */
class Asker extends Worker {
  onAsk(method, data) {
    const self = new Agent(this.id, this.__priv.br);
    if (method === 'echo') return data;
    if (method === 'hang') {
      Asker.hanging += 1;
      return new Promise(() => {});
    }
    if (method === 'down') {
      if (data.left > 0) return self.ask('down', { ...data, left: data.left - 1 }, OPTION);
      Asker.atTheEnd = true;
      return data.hang ? new Promise(() => {}) : 'the end';
    }
    return Promise.allSettled(Array.from({ length: MULTITUDE }, () => self.ask(data, 1, OPTION))).then((all) => {
      const codes = all.map(({ reason }) => (reason === undefined ? 'fine' : reason.code));
      return Object.fromEntries([...new Set(codes)].map((code) => [code, codes.filter((each) => each === code).length]));
    });
  }
}

async function asker(t, promise) {
  Asker.atTheEnd = false;
  Asker.hanging = 0;
  const broker = await memorySystem(t).start('b', { classes: [Asker], promise });
  const agent = await broker.createWorker('Asker', { id: 'a' });
  // From the second ask on messages do not go through the core.
  await until('messages stay in JavaScript', async () => {
    await agent.ask('echo', 1);
    return broker[kCore].workers.active.get('a').direct === 2;
  });
  return { broker, agent };
}

const down = (agent, option) => agent.ask('down', { left: MANY, hang: true }, option);
const atTheEnd = () => until('the last handler runs', () => Asker.atTheEnd, 60_000);

for (const promise of ['bluebird', 'native']) {
  describe(`Asks of a worker to itself, ${MANY} of them (${promise})`, () => {
    test('are answered, one in another', async (t) => {
      const { agent } = await asker(t, promise);
      assert.equal(await agent.ask('down', { left: MANY }, OPTION), 'the end');
    });

    test('end with their deadline, one in another', async (t) => {
      const { agent } = await asker(t, promise);
      assert.equal((await rejection(down(agent, { timeout: 1500 }))).code, 'DW_ERR_TIMEOUT');
      assert.equal(await agent.ask('echo', 7, OPTION), 7);
    });

    // Bluebird is slow with so many rejections, and what ends the calls is the same.
    if (promise === 'bluebird') return;

    test('end with the signal of the first, one in another', async (t) => {
      const { agent } = await asker(t, promise);
      const controller = new AbortController();
      const failed = rejection(down(agent, { ...OPTION, signal: controller.signal }));
      await atTheEnd();
      controller.abort();
      assert.equal((await failed).code, 'DW_ERR_ABORTED');
      assert.equal(await agent.ask('echo', 7, OPTION), 7);
    });

    test('end when their broker is suspended, one in another', async (t) => {
      const { broker, agent } = await asker(t, promise);
      const failed = rejection(down(agent, OPTION));
      await atTheEnd();
      broker[kCore].events.notice('suspended');
      assert.equal((await failed).code, 'DW_ERR_REJECTED');
      assert.equal(await agent.ask('echo', 7, OPTION), 7);
    });

    test('end with their worker and their broker, one in another', async (t) => {
      const { broker, agent } = await asker(t, promise);
      const failed = rejection(down(agent, OPTION));
      await atTheEnd();
      await broker.destroy();
      assert.equal((await failed).code, 'DW_ERR_PEER_LOST');
    });

    test('all settle where they are made at once, those that find no room at once', async (t) => {
      const { agent } = await asker(t, promise);
      const { fine, DW_ERR_OVERLOADED: refused } = await agent.ask('wide', 'echo', OPTION);
      assert.deepEqual([fine, refused], MULTITUDE > ROOM ? [ROOM, MULTITUDE - ROOM] : [MULTITUDE, undefined]);
    });

    test('all settle with their broker where they were made at once', async (t) => {
      const { broker, agent } = await asker(t, promise);
      const failed = rejection(agent.ask('wide', 'hang', OPTION));
      await until('the handlers run', () => Asker.hanging >= ROOM, 60_000);
      await broker.destroy();
      assert.equal((await failed).code, 'DW_ERR_PEER_LOST');
    });
  });
}
