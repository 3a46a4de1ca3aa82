'use strict';

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { Worker } = require('..');
const { onEachCoordinator, memorySystem } = require('./helpers/systems');
const { echo, inEachStyle, worker } = require('./helpers/classes');
const { rejection, sleep, until } = require('../support/wait');

inEachStyle(describe, (define) => {
  onEachCoordinator((system) => {
    /** A class that writes down what happens to its instances. */
    function recorded(handlers = {}, construct = undefined) {
      const steps = [];
      const W = define(
        'W',
        {
          onCreate(info) {
            steps.push(`create ${info.cause} ${this.state}`);
            if (handlers.onCreate) return handlers.onCreate.call(this, info);
            return undefined;
          },
          onDestroy(info) {
            steps.push(`destroy ${info.cause} ${this.state}`);
            if (handlers.onDestroy) return handlers.onDestroy.call(this, info);
            return undefined;
          },
          onAsk(method, data) {
            if (method === 'die') {
              this.destroy(data);
              // What the handler does after that comes before onDestroy.
              steps.push('after destroy()');
              return 'dying';
            }
            return 'alive';
          },
        },
        construct
      );
      return { W, steps };
    }

    test('a worker goes through its states', async (t) => {
      const states = [];
      const { W, steps } = recorded({}, function () {
        states.push(this.state);
        states.worker = this;
      });
      const broker = await system(t).start('b', { classes: [W] });
      await broker.createWorker('W');
      states.push(states.worker.state);
      await broker.destroy();
      states.push(states.worker.state);
      assert.deepEqual(states.slice(), [0, 2, 4]);
      assert.deepEqual(steps, ['create 0 1', 'destroy 1 3']);
    });

    test('destroy() ends the worker: onDestroy runs, the id is gone', async (t) => {
      const { W, steps } = recorded();
      const broker = await system(t).start('b', { classes: [W], retries: { duration: 300 } });
      const agent = await broker.createWorker('W', { attributes: { recoverable: true } });
      assert.equal(await agent.ask('die'), 'dying');
      await until('it is gone', async () => (await broker.findWorker(agent.id)) === null);
      assert.deepEqual(steps, ['create 0 1', 'after destroy()', 'destroy 0 3']);
      assert.equal(broker.load, 0);
      const error = await rejection(agent.ask('x'));
      assert.deepEqual([error.code, error.delivered], ['DW_ERR_WORKER_NOT_FOUND', 'no']);
    });

    test('destroy() in the constructor waits for onCreate', async (t) => {
      const { W, steps } = recorded({}, function () {
        this.destroy();
      });
      const broker = await system(t).start('b', { classes: [W] });
      const agent = await broker.createWorker('W');
      await until('it is gone', async () => (await broker.findWorker(agent.id)) === null);
      assert.deepEqual(steps, ['create 0 1', 'destroy 0 3']);
    });

    test('destroy() in onCreate waits for its end, and a second one does nothing', async (t) => {
      const { W, steps } = recorded({
        async onCreate() {
          this.destroy();
          this.destroy({ noRecover: false });
          await sleep(20);
          steps.push('created');
        },
      });
      const broker = await system(t).start('b', { classes: [W] });
      const agent = await broker.createWorker('W', { attributes: { recoverable: true } });
      await until('it is gone', async () => (await broker.findWorker(agent.id)) === null);
      assert.deepEqual(steps, ['create 0 1', 'created', 'destroy 0 3']);
    });

    test('destroy({noRecover: false}) makes a recoverable worker again, and its agent goes on', async (t) => {
      const { W, steps } = recorded();
      const broker = await system(t).start('b', { classes: [W] });
      const agent = await broker.createWorker('W', { attributes: { recoverable: true } });
      assert.equal(await agent.ask('die', { noRecover: false }), 'dying');
      assert.equal(await agent.ask('x'), 'alive');
      assert.deepEqual(steps, ['create 0 1', 'after destroy()', 'destroy 0 3', 'create 1 1']);
      assert.equal(broker.load, 1);
    });

    test('destroy({noRecover: false}) ends a worker that is not recoverable', async (t) => {
      const { W } = recorded();
      const broker = await system(t).start('b', { classes: [W] });
      const agent = await broker.createWorker('W');
      await agent.ask('die', { noRecover: false });
      await until('it is gone', async () => (await broker.findWorker(agent.id)) === null);
    });

    test('the destruction of its broker waits for onCreate', async (t) => {
      let release;
      const { W, steps } = recorded({ onCreate: () => new Promise((resolve) => (release = resolve)) });
      const broker = await system(t).start('b', { classes: [W] });
      const created = broker.createWorker('W').catch(() => null);
      await until('onCreate runs', () => release);
      const destroyed = broker.destroy();
      await sleep(30);
      assert.deepEqual(steps, ['create 0 1']);
      release();
      await destroyed;
      await created;
      assert.deepEqual(steps, ['create 0 1', 'destroy 1 3']);
    });

    test('a handler that runs when its broker is destroyed may still answer', async (t) => {
      const W = define('W', { onAsk: () => sleep(50).then(() => 'done'), onDestroy: () => sleep(100) });
      const s = system(t);
      const broker = await s.start('b', { classes: [W] });
      const caller = await s.start('c', { classes: [echo('Other')] });
      caller.registerWorker(W);
      const id = (await broker.createWorker('W')).id;
      const asked = (await caller.findWorker(id)).ask('x');
      await sleep(20);
      await broker.destroy();
      assert.equal(await asked, 'done');
    });

    test('the load follows what the worker says, at once', async (t) => {
      let it;
      const W = define('W', {
        onCreate() {
          it = this;
          this.load = 2.9;
        },
      });
      const broker = await system(t).start('b', { classes: [W] });
      await broker.createWorker('W');
      assert.deepEqual([it.load, broker.load], [2, 2]);
      it.load = 10;
      assert.deepEqual([it.load, broker.load], [10, 10]);
      for (const ignored of [-1, -0.5, NaN, Infinity, 'many', undefined, {}]) {
        it.load = ignored;
        assert.deepEqual([it.load, broker.load], [10, 10], String(ignored));
      }
      await broker.createWorker('W');
      assert.equal(broker.load, 12);
      await broker.destroy();
      assert.deepEqual([it.load, broker.load], [0, 0]);
      it.load = 5;
      assert.deepEqual([it.load, broker.load], [0, 0]);
    });

    test('a load that the constructor sets counts, and one of 0 after onCreate becomes 1', async (t) => {
      const seen = [];
      const Heavy = define('Heavy', {
        onCreate() {
          seen.push(this.load);
        },
      }, function () {
        this.load = 7;
      });
      const Light = define('Light', {
        onCreate() {
          seen.push(this.load);
          this.load = 0;
        },
      });
      const broker = await system(t).start('b', { classes: [Heavy, Light] });
      await broker.createWorker('Heavy');
      await broker.createWorker('Light');
      assert.deepEqual([seen, broker.load], [[7, 0], 8]);
    });

    test('the worker knows its broker, its attributes and its epoch', async (t) => {
      let it;
      let info;
      const W = define('W', {
        onCreate(given) {
          it = this;
          info = given;
        },
      });
      const broker = await system(t).start('b', { classes: [W] });
      const agent = await broker.createWorker('W', { attributes: { a: [] } });
      assert.equal(it.id, agent.id);
      assert.deepEqual(it.attributes, { a: [], static: false });
      assert.equal(it.__priv.br, broker);
      assert.equal(it.__priv.id, agent.id);
      assert.match(it.epoch, /^\d+$/);
      assert.equal(info.epoch, it.epoch);
      assert.equal(JSON.stringify(info), '{"cause":0}');
      assert.deepEqual(Object.keys(it), []);
      const first = BigInt(it.epoch);
      await broker.createWorker('W', { id: 'other' });
      assert.ok(BigInt(it.epoch) > first);
    });
  });
});

test('a constructor that does not call that of Worker rejects the creation', async (t) => {
  const util = require('node:util');
  function Forgetful() {}
  util.inherits(Forgetful, Worker);
  const broker = await memorySystem(t).start('b', { classes: [Forgetful] });
  assert.match((await rejection(broker.createWorker('Forgetful'))).message, /to call Worker.apply\(this, arguments\), but it did not/);
});

test('a worker that is constructed by hand is INACTIVE, with attributes', () => {
  const it = new (worker('W'))('w', {});
  it.load = 3;
  it.destroy();
  assert.deepEqual([it.id, it.state, it.attributes, it.load, it.epoch], ['w', Worker.State.INACTIVE, {}, 3, '']);
});

test('the constants are those of the original', () => {
  assert.deepEqual({ ...Worker.State }, { INACTIVE: 0, ACTIVATING: 1, ACTIVE: 2, DESTROYING: 3, DESTROYED: 4 });
  assert.deepEqual([Worker.CreateCause.NEW, Worker.CreateCause.RECOVERY], [0, 1]);
  assert.deepEqual([Worker.DestroyCause.SELF, Worker.DestroyCause.SYSTEM, Worker.DEFAULT_LOAD], [0, 1, 1]);
});
