'use strict';

const assert = require('node:assert/strict');
const util = require('node:util');
const { test } = require('node:test');
const { Broker, Worker } = require('..');
const { onEachCoordinator } = require('./helpers/systems');
const { worker } = require('./helpers/classes');
const { called, rejection, until } = require('../support/wait');

/** A class whose data is a count and a list; `declared`: fields of its static data. */
function counter(declared = {}, handlers = {}, name = 'Counter') {
  const log = [];
  const Counter = worker(name, {
    onCreate(info) {
      log.push(`create ${this.id} ${info.cause} ${JSON.stringify(this.data)}`);
      this.load = 1;
    },
    onAsk(method, data) {
      return this[method](data);
    },
    onTell(method, data) {
      return this[method](data);
    },
    add(n) {
      this.data = { ...this.data, n: this.data.n + n };
      return this.data.n;
    },
    read() {
      return this.data;
    },
    ...handlers,
  });
  Counter.data = { version: 1, initial: () => ({ n: 0, list: [] }), ...declared };
  return { Counter, log };
}

/** The worker as the next broker finds it: the one that has it leaves. */
async function next(s, leaving, classes) {
  await leaving.destroy({ noRecover: true });
  const broker = await s.start(`after-${leaving.id}`, { classes });
  return broker;
}

onEachCoordinator((system) => {
  for (const save of ['gate', 'behind', 'manual']) {
    test(`data that was stored with '${save}' is there when the worker is woken elsewhere`, async (t) => {
      const s = system(t);
      const { Counter, log } = counter({ save, flush: 5 }, {
        async store(n) {
          this.add(n);
          await this.save();
        },
      });
      const a = await s.start('a', { classes: [Counter] });
      const agent = a.get(Counter, 'x', { attributes: { big: '12345678901234567890' } });
      await agent.ask('add', 2);
      await agent.ask('store', 3);
      const b = await next(s, a, [Counter]);
      assert.deepEqual(await b.get(Counter, 'x').ask('read'), { n: 5, list: [] });
      assert.deepEqual(log, ['create Counter/x 0 {"n":0,"list":[]}', `create Counter/x ${Worker.CreateCause.WAKE} {"n":5,"list":[]}`]);
    });
  }

  test('values keep what JSON can express, whatever they are', async (t) => {
    const s = system(t);
    const { Counter } = counter({ initial: () => null }, {
      put(value) {
        this.data = value;
      },
    });
    let broker = await s.start('a', { classes: [Counter] });
    for (const value of [{ größe: '漢字\u0000\ud83d\ude00', empty: [], e: {} }, [], '', 'x'.repeat(70_000), 0.1, false, null, 'null', '],[']) {
      await broker.get(Counter, 'x').ask('put', value);
      broker = await next(s, broker, [Counter]);
      assert.deepEqual(await broker.get(Counter, 'x').ask('read'), value);
    }
  });

  test('only save() stores data of the mode manual', async (t) => {
    const s = system(t);
    const { Counter } = counter({ save: 'manual' }, {
      async store() {
        await this.save();
        await called((callback) => this.save(callback));
      },
    });
    const a = await s.start('a', { classes: [Counter] });
    const agent = a.get(Counter, 'x');
    await agent.ask('add', 1);
    await agent.ask('store');
    await agent.ask('add', 10);
    const b = await next(s, a, [Counter]);
    assert.deepEqual(await b.get(Counter, 'x').ask('read'), { n: 1, list: [] });
  });

  test('data is frozen with all that is in it, and a wrong value changes nothing', async (t) => {
    const { Counter } = counter({}, {
      push() {
        this.data.list.push(1);
      },
      put(kind) {
        const cycle = {};
        cycle.cycle = cycle;
        const values = { map: new Map(), bytes: new Uint8Array(2), nothing: undefined, number: NaN, big: 1n, call: () => 1, deep: { a: [Infinity] }, cycle };
        this.data = values[kind];
      },
    });
    const agent = (await system(t).start('b', { classes: [Counter] })).get(Counter, 'x');
    await agent.ask('add', 1);
    assert.equal((await rejection(agent.ask('push'))).name, 'TypeError');
    for (const kind of ['map', 'bytes', 'nothing', 'number', 'big', 'call', 'deep', 'cycle']) {
      const error = await rejection(agent.ask('put', kind));
      assert.match(error.message, /for data of the worker but received/, kind);
    }
    assert.deepEqual(await agent.ask('read'), { n: 1, list: [] });
  });

  test('mutable data is compared when a handler ends, and by touch() between', async (t) => {
    const s = system(t);
    const { Counter } = counter({ mutable: true }, {
      push(value) {
        this.data.list.push(value);
      },
      later(value) {
        setImmediate(() => {
          this.data.list.push(value);
          this.touch();
        });
      },
    });
    let broker = await s.start('a', { classes: [Counter] });
    await broker.get(Counter, 'x').ask('push', 1);
    broker = await next(s, broker, [Counter]);
    await broker.get(Counter, 'x').tell('push', 2);
    await broker.get(Counter, 'x').ask('later', 3);
    await until('it was pushed', async () => (await broker.get(Counter, 'x').ask('read')).list.length === 3);
    broker = await next(s, broker, [Counter]);
    assert.deepEqual((await broker.get(Counter, 'x').ask('read')).list, [1, 2, 3]);
  });

  test('data of an older version is migrated, and stored as migrated', async (t) => {
    const s = system(t);
    const { Counter: One } = counter();
    const { Counter: Three } = counter({ version: 3, migrate: (data, from) => ({ ...data, from }) });
    const a = await s.start('a', { classes: [One] });
    await a.get(One, 'x').ask('add', 4);
    const b = await next(s, a, [Three]);
    assert.deepEqual(await b.get(Three, 'x').ask('read'), { n: 4, list: [], from: 1 });
    const c = await next(s, b, [Three]);
    assert.deepEqual(await c.get(Three, 'x').ask('read'), { n: 4, list: [], from: 1 });
  });

  test('data that cannot be read fails the calls and is not overwritten', async (t) => {
    const s = system(t);
    const wrong = [
      { version: 3 },
      { version: 1 },
      { version: 3, migrate: () => undefined },
      { version: 3, migrate: () => Promise.resolve(1) },
      { version: 3, migrate: () => ({ n: NaN }) },
      {
        version: 3,
        migrate() {
          throw new Error('no idea');
        },
      },
    ];
    const { Counter } = counter({ version: 2 });
    let broker = await s.start('a', { classes: [Counter] });
    for (const key of Object.keys(wrong)) await broker.get(Counter, key).ask('add', 7);
    for (const [key, declared] of Object.entries(wrong)) {
      const { Counter: Other, log } = counter(declared);
      broker = await next(s, broker, [Other]);
      const error = await rejection(broker.get(Other, key).ask('read'));
      assert.deepEqual([error.code, error.delivered], ['DW_ERR_DATA_FORMAT', 'no'], String(error));
      assert.ok(error.cause instanceof Error, 'it has a cause');
      assert.deepEqual(log, []);
    }
    broker = await next(s, broker, [Counter]);
    for (const key of Object.keys(wrong)) assert.equal((await broker.get(Counter, key).ask('read')).n, 7);
  });

  test('an initial() that throws, or gives no value, fails the activation', async (t) => {
    const s = system(t);
    const { Counter: Thrower } = counter({
      initial() {
        throw new Error('no start');
      },
    });
    const { Counter: Waiter } = counter({ initial: async () => 1 }, {}, 'Waiter');
    const broker = await s.start('b', { classes: [Thrower, Waiter] });
    for (const WorkerClass of [Thrower, Waiter]) {
      assert.equal((await rejection(broker.get(WorkerClass, 'x').ask('read'))).code, 'DW_ERR_ACTIVATION');
      assert.equal((await rejection(broker.createWorker(WorkerClass.name))).code, 'DW_ERR_REJECTED');
      assert.equal(await broker.findWorker(`${WorkerClass.name}/x`), null);
    }
  });

  test('an onCreate that rejects leaves nothing of a first activation, and what was stored of a later one', async (t) => {
    let fails = true;
    const s = system(t);
    const { Counter } = counter({}, {
      onCreate() {
        this.load = 1;
        if (fails) this.data = { n: -1 };
        if (fails) throw new Error('not now');
      },
    });
    const a = await s.start('a', { classes: [Counter] });
    assert.equal((await rejection(a.get(Counter, 'x').ask('read'))).code, 'DW_ERR_ACTIVATION');
    assert.equal(await a.findWorker('Counter/x'), null);
    fails = false;
    assert.equal(await a.get(Counter, 'x').ask('add', 5), 5);
    const b = await next(s, a, [Counter]);
    fails = true;
    assert.equal((await rejection(b.get(Counter, 'x').ask('read'))).code, 'DW_ERR_ACTIVATION');
    fails = false;
    const last = await until('it is tried again', () => b.get(Counter, 'x').ask('read'));
    assert.equal(last.n, 5);
  });

  test('destroy() deletes the data, of a worker that is awake or asleep', async (t) => {
    const s = system(t);
    const { Counter } = counter({}, {
      bye() {
        this.add(100);
        this.destroy();
        return 'bye';
      },
    });
    let broker = await s.start('a', { classes: [Counter] });
    const agents = () => ['x', 'y', 'z'].map((key) => broker.get(Counter, key));
    for (const agent of agents()) assert.equal(await agent.ask('add', 5), 5);
    await agents()[0].destroy();
    assert.equal(await agents()[1].ask('bye'), 'bye');
    broker = await next(s, broker, [Counter]);
    await agents()[2].destroy();
    for (const agent of agents()) assert.equal(await agent.ask('add', 1), 1);
  });

  test('a worker of createWorker() that stored data outlives its broker', async (t) => {
    const s = system(t);
    const { Counter } = counter();
    const a = await s.start('a', { classes: [Counter] });
    await (await a.createWorker('Counter', { id: 'room' })).ask('add', 5);
    const b = await next(s, a, [Counter]);
    assert.equal(await (await b.findWorker('room')).ask('add', 1), 6);
  });

  test('a recoverable worker has its data when it is made again', async (t) => {
    const s = system(t);
    const { Counter } = counter();
    const a = await s.start('a', { classes: [Counter] });
    const agent = await a.createWorker('Counter', { id: 'room', attributes: { recoverable: true } });
    await agent.ask('add', 5);
    const b = await s.start('b', { classes: [Counter] });
    await a.destroy();
    assert.equal(await (await b.findWorker('room')).ask('add', 1), 6);
  });

  test('changes that are not stored yet are stored before the broker leaves', async (t) => {
    const s = system(t);
    const { Counter } = counter({ save: 'behind', flush: 60_000 }, {
      onDestroy() {
        this.add(10);
      },
    });
    const a = await s.start('a', { classes: [Counter] });
    await a.get(Counter, 'x').ask('add', 5);
    const b = await next(s, a, [Counter]);
    assert.equal((await b.get(Counter, 'x').ask('read')).n, 15);
  });

  test('an idle worker stores what is not stored yet before it sleeps, and has it when it wakes', async (t) => {
    const s = system(t);
    const { Counter, log } = counter({ save: 'behind', flush: 60_000 });
    Counter.idle = 20;
    const broker = await s.start('a', { classes: [Counter] });
    await broker.get(Counter, 'x').ask('add', 5);
    await until('it sleeps', async () => (await broker.inspect('Counter/x')).state === 'asleep');
    assert.equal(await broker.get(Counter, 'x').ask('add', 1), 6);
    assert.deepEqual(log.map((line) => line.split(' ')[2]), ['0', String(Worker.CreateCause.WAKE)]);
  });

  test('data over the limit fails the call that made it so; the next change that fits stores it', async (t) => {
    const s = system(t);
    const { Counter } = counter({ maxBytes: 200 }, {
      fill(length) {
        this.data = { ...this.data, text: 'x'.repeat(length) };
      },
      async store(length) {
        this.fill(length);
        await this.save();
      },
    });
    const a = await s.start('a', { classes: [Counter] });
    const agent = a.get(Counter, 'x');
    await agent.ask('add', 1);
    const error = await rejection(agent.ask('fill', 300));
    assert.deepEqual([error.code, error.delivered, error.cause.code], ['DW_ERR_NOT_STORED', 'yes', 'DW_ERR_TOO_LARGE'], String(error));
    const saved = await rejection(agent.ask('store', 300));
    assert.deepEqual([saved.code, saved.cause.code], ['DW_ERR_NOT_STORED', 'DW_ERR_TOO_LARGE']);
    assert.equal((await rejection(agent.ask('add', 1))).code, 'DW_ERR_NOT_STORED');
    await agent.ask('fill', 20);
    const b = await next(s, a, [Counter]);
    assert.deepEqual(await b.get(Counter, 'x').ask('read'), { n: 2, list: [], text: 'x'.repeat(20) });
  });

  test('a serial worker takes its next message while the answer of the last one waits', async (t) => {
    const s = system(t);
    const { Counter } = counter();
    Counter.concurrency = 'serial';
    await s.start('a', { classes: [Counter] });
    const b = await s.start('b');
    const agent = b.get('Counter', 'x', { clustername: 'main' });
    const answers = await Promise.all(Array.from({ length: 50 }, () => agent.ask('add', 1)));
    assert.deepEqual(answers, Array.from({ length: 50 }, (_, n) => n + 1));
  });

  test('a failing handler answers with its error, and its change is stored', async (t) => {
    const s = system(t);
    const { Counter } = counter({}, {
      fail() {
        this.add(3);
        throw new Error('after the change');
      },
    });
    const a = await s.start('a', { classes: [Counter] });
    assert.equal((await rejection(a.get(Counter, 'x').ask('fail'))).message, 'after the change');
    const b = await next(s, a, [Counter]);
    assert.equal((await b.get(Counter, 'x').ask('read')).n, 3);
  });
});

test('a static of another shape is the class\'s own, and so are members named as the new ones', async () => {
  function Old() {
    Worker.apply(this, arguments);
    this.data = { own: 1 };
  }
  util.inherits(Old, Worker);
  Old.data = { version: '1', initial: {} };
  Old.prototype.save = (method, data) => `saved ${data}`;
  Old.prototype.touch = () => 'touched';
  Old.prototype.onAsk = function (method, data) {
    if (method === 'data') this.data = { own: this.data.own + data };
    return method === 'data' ? this.data : this[method](method, data);
  };
  class Accessor extends Worker {
    static methods = ['save', 'data'];
    get touch() {
      return 'a getter';
    }
    data() {
      return this.touch;
    }
    save(value) {
      return value;
    }
  }
  class Field extends Worker {
    data = ['field'];
    save = 7;
    onAsk() {
      this.touch = 1;
      return [this.data, this.save, this.touch];
    }
  }
  const broker = new Broker('b', { redis: 'memory://' });
  for (const WorkerClass of [Old, Accessor, Field]) broker.registerWorker(WorkerClass);
  await broker.start();
  const old = await broker.createWorker('Old');
  assert.deepEqual(await old.ask('data', 2), { own: 3 });
  assert.deepEqual([await old.ask('save', 1), await old.ask('touch')], ['saved 1', 'touched']);
  const accessor = await broker.createWorker('Accessor');
  assert.deepEqual([await accessor.ask('save', 5), await accessor.ask('data')], [5, 'a getter']);
  assert.deepEqual(await (await broker.createWorker('Field')).ask('m'), [['field'], 7, 1]);
  await broker.destroy();
  broker.quit();
});

test('a wrong declaration and a member that hides the data are refused', async () => {
  const broker = new Broker('b', { redis: 'memory://' });
  const refused = (declared, WorkerClass = class Wrong extends Worker {}) => {
    WorkerClass.data = { version: 1, initial: () => ({}), ...declared };
    assert.throws(() => broker.registerWorker(WorkerClass), { code: 'DW_ERR_CONFIG' }, JSON.stringify(declared));
  };
  for (const declared of [{ version: -1 }, { version: 2 ** 32 }, { save: 'always' }, { flush: 0 }, { migrate: 1 }, { mutable: 1 }, { maxBytes: 0.5 }, { limit: 5 }]) refused(declared);
  refused({}, class Hides extends Worker {
    data() {}
  });
  class Field extends Worker {
    data = 1;
  }
  Field.data = { version: 1, initial: () => ({}) };
  class Declared extends Worker {
    data;
    onAsk() {
      return this.data;
    }
  }
  Declared.data = { version: 1, initial: () => ({ fine: true }) };
  const Bare = worker('Bare', { onAsk: (method, data) => data, onTell: (method, data) => data });
  broker.registerWorker(Field);
  broker.registerWorker(Declared);
  broker.registerWorker(Bare);
  await broker.start();
  assert.match((await rejection(broker.createWorker('Field'))).message, /hides the data/);
  assert.deepEqual(await (await broker.createWorker('Declared')).ask('m'), { fine: true });
  await broker.destroy();
  broker.quit();
});
