'use strict';

const assert = require('node:assert/strict');
const util = require('node:util');
const { describe, mock, test } = require('node:test');
const { Agent, Broker, Worker } = require('..');
const { memorySystem } = require('./helpers/systems');
const { called, rejection } = require('../support/wait');

class Cart extends Worker {
  static methods = ['add', 'slow', 'seen'];
  calls = [];
  add(data) {
    this.calls.push(['add', data]);
    return data;
  }
  slow() {
    return new Promise(() => {});
  }
  seen() {
    return this.calls;
  }
}

/** Counts every message. */
class Any extends Worker {
  messages = [];
  onAsk(method, data) {
    if (method === 'seen') return this.messages;
    this.messages.push(method);
    return data;
  }
  onTell(method) {
    this.messages.push(method);
  }
}

const PROBES = {
  'util.inspect()': (object) => util.inspect(object, { showHidden: true, getters: true, depth: 5 }),
  'util.inspect() with showProxy': (object) => util.inspect(object, { showProxy: true }),
  'JSON.stringify()': (object) => JSON.stringify({ object }),
  await: (object) => object,
  'Promise.resolve()': (object) => Promise.resolve(object),
  'a template': (object) => `${object}`,
  'String()': (object) => String(object),
  'Object.keys()': (object) => Object.entries(object),
  'for in': (object) => {
    for (const key in object) void object[key];
  },
  'assert.deepEqual()': (object) => {
    assert.deepEqual(object, object);
    assert.throws(() => assert.deepEqual({ object }, { object: { add: 1 } }));
    assert.throws(() => assert.equal(object, 1));
  },
  'util.isDeepStrictEqual()': (object) => util.isDeepStrictEqual(object, {}),
  'structured comparison of Jest': (object) => [object.asymmetricMatch, object.$$typeof, object.nodeType, object['@@__IMMUTABLE_ITERABLE__@@'], object.toJSON],
  'instanceof and typeof': (object) => [object instanceof Promise, typeof object, Array.isArray(object), util.types.isPromise(object)],
};

describe('agent.call and agent.send', () => {
  for (const WorkerClass of [Cart, Any]) {
    test(`of class ${WorkerClass.name} can be looked at in every way, and send nothing by that`, async (t) => {
      const broker = await memorySystem(t).start('b', { classes: [WorkerClass] });
      const agent = await broker.createWorker(WorkerClass.name);
      for (const object of [agent.call, agent.send]) {
        for (const probe of Object.values(PROBES)) await probe(object);
        for (const name of ['then', 'catch', 'toJSON', 'constructor', '__proto__', 'hasOwnProperty', Symbol.iterator, Symbol.asyncIterator]) {
          assert.equal(object[name], undefined, String(name));
        }
      }
      assert.equal(await agent.call, agent.call);
      assert.deepEqual(await agent.call.seen(), []);
    });
  }

  test('have the functions of the class\'s methods alone, where it declares some', async (t) => {
    const broker = await memorySystem(t).start('b', { classes: [Cart] });
    const { call } = await broker.createWorker('Cart');
    assert.deepEqual(['add', 'slow', 'seen', 'ad', 'onAsk', 'destroy'].map((name) => typeof call[name]), ['function', 'function', 'function', 'undefined', 'undefined', 'undefined']);
    assert.throws(() => call.ad(), { name: 'TypeError', message: /call\.ad is not a function/ });
  });

  test('take any name where the class is not known or declares no methods', async (t) => {
    const broker = await memorySystem(t).start('b', { classes: [Any, Cart] });
    assert.equal(await (await broker.createWorker('Any')).call.whatever(7), 7);
    const cart = await broker.createWorker('Cart');
    assert.equal(await new Agent(cart.id, broker).call.add(8), 8);
    assert.match((await rejection(new Agent(cart.id, broker).call.ad(8))).message, /declares no method "ad"/);
  });

  test('are the same objects each time, and their functions can be taken off only with them', async (t) => {
    const broker = await memorySystem(t).start('b', { classes: [Cart] });
    const agent = await broker.createWorker('Cart');
    assert.equal(agent.call, agent.call);
    assert.equal(agent.send, agent.send);
    assert.deepEqual(Object.keys(agent), []);
  });

  test('take a callback after the data', async (t) => {
    const broker = await memorySystem(t).start('b', { classes: [Cart] });
    const agent = await broker.createWorker('Cart');
    assert.equal(await called((callback) => agent.call.add(1, callback)), 1);
    await called((callback) => agent.send.add(2, callback));
    assert.deepEqual(await called((callback) => agent.call.seen(undefined, callback)), [['add', 1], ['add', 2]]);
  });

  test('can be replaced in tests', async (t) => {
    const broker = await memorySystem(t).start('b', { classes: [Cart, Any] });
    for (const name of ['Cart', 'Any']) {
      const agent = await broker.createWorker(name);
      agent.call.add = mock.fn(() => 'mocked');
      assert.equal(agent.call.add(1), 'mocked');
    }
  });

  test('go through ask and tell of the class\'s own agent', async (t) => {
    const seen = [];
    class Watching extends Agent {
      ask(method, ...rest) {
        seen.push(method);
        return super.ask(method, ...rest);
      }
    }
    class Watched extends Cart {
      static agent = Watching;
    }
    const broker = await memorySystem(t).start('b', { classes: [Watched] });
    const agent = await broker.createWorker('Watched');
    assert.equal(await agent.call.add(1), 1);
    assert.deepEqual(seen, ['add']);
  });

  test('are known from findWorker, too', async (t) => {
    const broker = await memorySystem(t).start('b', { classes: [Cart] });
    await broker.createWorker('Cart', { id: 'c' });
    const agent = await broker.findWorker('c');
    assert.equal(typeof agent.call.ad, 'undefined');
    assert.equal(await agent.call.add(1), 1);
  });
});

describe('An agent class of the application', () => {
  test('keeps members named call, send and with', async (t) => {
    class Phone extends Agent {
      call = 'a field';
      send() {
        return 'a method';
      }
      with() {
        return 'another';
      }
    }
    function Old(id, broker) {
      Agent.apply(this, arguments);
      this.call = broker.id;
    }
    util.inherits(Old, Agent);
    Old.prototype.send = function () {
      return this.id;
    };
    class Modern extends Cart {
      static agent = Phone;
    }
    class Ancient extends Cart {
      static agent = Old;
    }
    const broker = await memorySystem(t).start('b', { classes: [Modern, Ancient] });
    const modern = await broker.createWorker('Modern');
    assert.deepEqual([modern.call, modern.send(), modern.with()], ['a field', 'a method', 'another']);
    const ancient = await broker.createWorker('Ancient');
    assert.deepEqual([ancient.call, ancient.send()], ['b', 'Ancient#1']);
    assert.equal(await ancient.ask('add', 1), 1);
  });

  test('may freeze itself', async (t) => {
    class Frozen extends Agent {
      constructor(...args) {
        super(...args);
        Object.freeze(this);
      }
    }
    class Cold extends Cart {
      static agent = Frozen;
    }
    const broker = await memorySystem(t).start('b', { classes: [Cold] });
    const agent = await broker.createWorker('Cold');
    assert.equal(await agent.call.add(1), 1);
    assert.equal(await agent.with({ timeout: 1000 }).call.add(2), 2);
  });
});

describe('agent.with()', () => {
  test('gives calls and asks its options, and leaves the agent as it was', async (t) => {
    const broker = await memorySystem(t).start('b', { classes: [Cart], rpcTimeout: 60000 });
    const agent = await broker.createWorker('Cart');
    const hasty = agent.with({ timeout: 20 });
    assert.ok(hasty instanceof Agent);
    assert.equal(hasty.id, agent.id);
    assert.equal((await rejection(hasty.call.slow())).code, 'DW_ERR_TIMEOUT');
    assert.equal((await rejection(hasty.ask('slow'))).code, 'DW_ERR_TIMEOUT');
    const controller = new AbortController();
    const patient = agent.call.slow();
    const abortable = hasty.with({ timeout: 60000, signal: controller.signal }).call.slow();
    controller.abort();
    assert.equal((await rejection(abortable)).code, 'DW_ERR_ABORTED');
    assert.equal(await Promise.race([patient, hasty.call.add('still open')]), 'still open');
  });

  test('gives way to the options of a single ask', async (t) => {
    const broker = await memorySystem(t).start('b', { classes: [Cart] });
    const patient = (await broker.createWorker('Cart')).with({ timeout: 60000 });
    assert.equal((await rejection(patient.ask('slow', undefined, { timeout: 20 }))).code, 'DW_ERR_TIMEOUT');
    assert.equal(await called((callback) => patient.ask('add', 1, callback)), 1);
    assert.equal((await rejection(patient.ask('add', 1, 'wrong'))).code, 'DW_ERR_CONFIG');
  });

  test('sends tells as the agent does', async (t) => {
    const broker = await memorySystem(t).start('b', { classes: [Cart] });
    const agent = await broker.createWorker('Cart');
    await agent.with({ timeout: 500 }).send.add(1);
    assert.deepEqual(await agent.call.seen(), [['add', 1]]);
  });

  test('refuses what is no object, and wrong options where they are used', async (t) => {
    const broker = await memorySystem(t).start('b', { classes: [Cart] });
    const agent = await broker.createWorker('Cart');
    assert.throws(() => agent.with('500'), { code: 'DW_ERR_CONFIG' });
    assert.equal((await rejection(agent.with({ timeout: -1 }).call.add(1))).code, 'DW_ERR_CONFIG');
    const lines = [];
    broker.on('log', ({ message }) => lines.push(message));
    await agent.with({ timeOut: 9 }).call.add(1);
    assert.match(lines.join(), /Unknown option timeOut. Did you mean timeout/);
  });
});

describe('A broker that ends with its scope', () => {
  test('is destroyed, and its connections are closed', async () => {
    const broker = await Broker.start('b', { redis: 'memory://scope' });
    assert.equal(broker.state, Broker.State.ACTIVE);
    broker.registerWorker(Cart);
    assert.equal(await (await broker.createWorker('Cart')).call.add(1), 1);
    await broker[Symbol.asyncDispose]();
    assert.equal(broker.state, Broker.State.DESTROYED);
  });

  test('hands over its recoverable workers', async (t) => {
    const system = memorySystem(t);
    const left = await system.start('left', { classes: [Cart] });
    await left.createWorker('Cart', { id: 'c', attributes: { recoverable: true } });
    const right = await system.start('right', { classes: [Cart] });
    await left[Symbol.asyncDispose]();
    assert.equal(await (await right.findWorker('c')).call.add(1), 1);
  });

  test('may be in any state', async (t) => {
    const broker = memorySystem(t).broker('b');
    await broker[Symbol.asyncDispose]();
    assert.equal(broker.state, Broker.State.INACTIVE);
    const starting = broker.start();
    await broker[Symbol.asyncDispose]();
    await starting;
    assert.equal(broker.state, Broker.State.DESTROYED);
    await broker.start();
    const ending = broker.destroy();
    await Promise.all([broker[Symbol.asyncDispose](), ending]);
    await broker[Symbol.asyncDispose]();
    assert.equal(broker.state, Broker.State.DESTROYED);
  });

  test('started by a subclass is an instance of it, and a callback receives it', async (t) => {
    class Own extends Broker {}
    const broker = await called((callback) => Own.start('b', { redis: 'memory://own' }, callback));
    t.after(() => broker[Symbol.asyncDispose]());
    assert.ok(broker instanceof Own);
  });

  test('that cannot be made or started rejects', async () => {
    assert.equal((await rejection(Broker.start(''))).code, 'DW_ERR_CONFIG');
    const error = await rejection(Broker.start('b', { redis: { host: '127.0.0.1', port: 1 }, promise: 'native' }));
    assert.equal(error.code, 'DW_ERR_REDIS');
  });
});

test('A message by name to a worker that is gone fails as an ask does', async (t) => {
  const broker = await memorySystem(t).start('b', { classes: [Cart] });
  const error = await rejection(new Agent('nobody', broker).call.add(1));
  assert.equal(error.code, 'DW_ERR_WORKER_NOT_FOUND');
});
