'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Worker } = require('..');
const { onEachCoordinator } = require('./helpers/systems');
const { worker } = require('./helpers/classes');
const { randomness } = require('../support/random');
const { until } = require('../support/wait');

/** Writes down, in one list for all its instances, the number in each message as its handler starts. */
function recorder() {
  const seen = new Map();
  const note = (id, n) => {
    if (!seen.has(id)) seen.set(id, []);
    seen.get(id).push(n);
  };
  const moves = [];
  const W = worker('W', {
    onCreate({ cause }) {
      if (cause === Worker.CreateCause.RECOVERY) moves.push(this.id);
    },
    onAsk(method, n) {
      if (method === 'move') {
        this.destroy({ noRecover: false });
        return null;
      }
      note(this.id, n);
      return n;
    },
    onTell(method, n) {
      note(this.id, n);
    },
  });
  return { W, seen, moves };
}

function assertRising(list, what) {
  for (let n = 1; n < list.length; n += 1) assert.ok(list[n] > list[n - 1], `${what}: ${list[n - 1]} before ${list[n]}, at ${n}`);
}

onEachCoordinator((system) => {
  test('messages of one sender arrive in the order of sending, tells and asks together', async (t) => {
    const { W, seen } = recorder();
    const s = system(t);
    const far = await s.start('far', { classes: [W] });
    const id = (await far.createWorker('W')).id;
    const near = await s.start('near', { classes: [W] });
    for (const broker of [near, far]) {
      seen.clear();
      // The first ones are sent while the way is not known yet.
      const agent = await broker.findWorker(id);
      const sent = Array.from({ length: 2000 }, (_, n) => n);
      await Promise.all(sent.map((n) => (n % 3 === 0 ? agent.ask('m', n) : agent.tell('m', n))));
      await until('all are there', () => seen.get(id).length === sent.length);
      assert.deepEqual(seen.get(id), sent);
    }
  });

  test('large and small messages keep their order', async (t) => {
    const { W, seen } = recorder();
    const sizes = [];
    W.prototype.onTell = function (method, { n, text }) {
      seen.set(this.id, [...(seen.get(this.id) || []), n]);
      sizes.push(text.length);
    };
    const s = system(t);
    const far = await s.start('far', { classes: [W] });
    const id = (await far.createWorker('W')).id;
    const agent = await (await s.start('near', { classes: [W] })).findWorker(id);
    for (let n = 0; n < 60; n += 1) agent.tell('m', { n, text: 'x'.repeat(n % 7 === 0 ? 300000 : n) });
    await until('all are there', () => seen.get(id)?.length === 60);
    assert.deepEqual(seen.get(id), Array.from({ length: 60 }, (_, n) => n));
  });

  test('while workers move from broker to broker there may be gaps among the tells, but never an inversion', async (t) => {
    const random = randomness(t);
    const { W, seen, moves } = recorder();
    const s = system(t);
    const option = { classes: [W], retries: { duration: 8000 }, rpcTimeout: 8000 };
    const brokers = [];
    for (const id of ['a', 'b', 'c']) brokers.push(await s.start(id, option));
    const ids = [];
    for (let n = 0; n < 4; n += 1) ids.push((await brokers[0].createWorker('W', { attributes: { recoverable: true } })).id);
    // One sender a worker, at another broker each.
    const senders = await Promise.all(ids.map((id, n) => brokers[n % 3].findWorker(id)));
    const moved = brokers[random.below(3)];
    let asks = 0;
    const answers = [];
    for (let n = 1; n <= 1000; n += 1) {
      for (const [which, agent] of senders.entries()) {
        if (random.below(100) === 0) answers.push(moved.findWorker(ids[which]).then((mover) => mover.ask('move')).catch(() => null));
        if (random.below(3) > 0) agent.tell('m', n).catch(() => {});
        else {
          asks += 1;
          answers.push(agent.ask('m', n));
        }
      }
      if (random.below(4) === 0) await new Promise(setImmediate);
    }
    const outcomes = await Promise.allSettled(answers);
    const failed = outcomes.filter(({ status }) => status === 'rejected').map(({ reason }) => `${reason.code}: ${reason.message}`);
    assert.deepEqual(failed, []);
    assert.ok(asks > 1000 && moves.length >= 8, `${asks} asks, ${moves.length} moves`);
    t.diagnostic(`${asks} asks, ${moves.length} moves`);
    for (const id of ids) {
      const list = seen.get(id);
      assertRising(list, id);
      assert.ok(list.length > 500, `${id}: ${list.length}`);
    }
  });
});
