'use strict';

const assert = require('node:assert/strict');
const { subscribe, unsubscribe } = require('node:diagnostics_channel');
const { describe, test } = require('node:test');
const { Agent, Worker } = require('..');
const { runToEnd } = require('./helpers/programs');
const { memorySystem } = require('./helpers/systems');
const { called, rejection, until } = require('../support/wait');

/** The messages of a channel until the test ends. */
function messagesOf(t, name) {
  const messages = [];
  const listener = (message) => messages.push(message);
  subscribe(name, listener);
  t.after(() => unsubscribe(name, listener));
  return messages;
}

class Cart extends Worker {
  static methods = ['add', 'fail'];
  async add(data) {
    return data;
  }
  async fail() {
    throw new Error('no');
  }
}

class Serial extends Cart {
  static concurrency = 'serial';
}

describe('dworker:rpc', () => {
  for (const WorkerClass of [Cart, Serial]) {
    test(`has the calls and the handlers of a worker of class ${WorkerClass.name}`, async (t) => {
      const system = memorySystem(t);
      const home = await system.start('home', { classes: [WorkerClass] });
      const away = await system.start('away');
      const agent = await home.createWorker(WorkerClass.name, { id: 'c' });
      const messages = messagesOf(t, 'dworker:rpc');
      for (const broker of [home, away, home]) {
        assert.equal(await new Agent(agent.id, broker).ask('add', 1), 1);
        const [handled, ask] = messages.splice(0);
        const { epoch, duration, ...rest } = handled;
        assert.deepEqual(rest, { type: 'handledAsk', broker: 'home', worker: 'c', class: WorkerClass.name, method: 'add', error: undefined });
        assert.match(epoch, /^\d+$/);
        assert.ok(duration >= 0);
        assert.deepEqual({ ...ask, duration: 0 }, { type: 'ask', broker: broker.id, worker: 'c', method: 'add', duration: 0, error: undefined });
      }
      const error = await rejection(agent.ask('fail'));
      assert.deepEqual(messages.map(({ type }) => type), ['handledAsk', 'ask']);
      assert.equal(messages[0].error.message, 'no');
      assert.equal(messages[1].error, error);
      messages.splice(0);
      await agent.tell('add', 2);
      await until('the tell is handled', () => messages.length === 2);
      assert.deepEqual(messages.map(({ type }) => type).sort(), ['handledTell', 'tell']);
    });
  }

  test('changes nothing about callbacks and rejections', async (t) => {
    messagesOf(t, 'dworker:rpc');
    const broker = await memorySystem(t).start('b', { classes: [Cart] });
    const agent = await broker.createWorker('Cart');
    assert.equal(await called((callback) => agent.ask('add', 1, callback)), 1);
    assert.equal((await rejection(called((callback) => agent.ask('fail', 1, callback)))).message, 'no');
    assert.equal(await agent.ask('add', 1).tap(() => {}), 1);
  });

  test('an ask that is not awaited stays an unhandled rejection, and a tell does not', async () => {
    const { stdout, code } = await runToEnd('watched.js');
    assert.equal(stdout, 'DW_ERR_WORKER_NOT_FOUND\nDW_ERR_WORKER_NOT_FOUND\n');
    assert.equal(code, 0);
  });
});

test('dworker:placement has where workers begin and end', async (t) => {
  const messages = messagesOf(t, 'dworker:placement');
  const system = memorySystem(t);
  class Broken extends Worker {
    constructor() {
      super();
      throw new Error('cannot be');
    }
  }
  const left = await system.start('left', { classes: [Cart, Broken] });
  await left.createWorker('Cart', { id: 'c', attributes: { recoverable: true } });
  await rejection(left.createWorker('Broken', { id: 'x' }));
  await system.start('right', { classes: [Cart] });
  await left.destroy();
  await until('the worker is activated again', () => messages.length >= 4);
  const [first, failed, ended, second] = messages;
  assert.deepEqual({ ...first, epoch: '' }, { type: 'activated', broker: 'left', worker: 'c', class: 'Cart', epoch: '', cause: Worker.CreateCause.NEW });
  assert.equal(failed.error.message, 'cannot be');
  assert.deepEqual({ ...failed, error: null }, { type: 'failed', broker: 'left', worker: 'x', class: 'Broken', error: null });
  assert.deepEqual(ended, { ...first, type: 'ended', cause: Worker.DestroyCause.SYSTEM });
  assert.deepEqual({ ...second, epoch: '' }, { type: 'activated', broker: 'right', worker: 'c', class: 'Cart', epoch: '', cause: Worker.CreateCause.RECOVERY });
  assert.ok(BigInt(second.epoch) > BigInt(first.epoch));
});
