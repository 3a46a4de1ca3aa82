'use strict';

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { Broker, Worker } = require('..');
const { startRedis } = require('../support/redis-server');
const { onEachCoordinator, memorySystem } = require('./helpers/systems');
const { inEachStyle, worker } = require('./helpers/classes');
const { rejection, until } = require('../support/wait');

/** Nothing that a worker does may end the process: not even without listeners. */
const escaped = [];
before(() => {
  process.on('unhandledRejection', (reason) => escaped.push(reason));
  process.on('uncaughtException', (error) => escaped.push(error));
});
after(() => assert.deepEqual(escaped, []));

function listen(broker) {
  const told = { errors: [], logs: [] };
  broker.on('workerError', (event) => told.errors.push(event));
  broker.on('log', (event) => told.logs.push(event));
  return told;
}

inEachStyle(describe, (define) => {
  onEachCoordinator((system) => {
    test('a constructor that throws fails its creation with the message, and leaves no entry', async (t) => {
      const W = define('W', {}, () => {
        throw new Error('cannot be');
      });
      const broker = await system(t).start('b', { classes: [W] });
      const told = listen(broker);
      const error = await rejection(broker.createWorker('W', { id: 'ghost' }));
      assert.match(error.message, /cannot be/);
      assert.match(error.code, /^DW_ERR_/);
      assert.deepEqual(told.errors.map(({ id, method, error: { message } }) => [id, method, message]), [['ghost', 'constructor', 'cannot be']]);
      assert.equal(await broker.findWorker('ghost'), null);
      assert.equal(broker.load, 0);
    });

    test('an onCreate that throws is logged, and the worker lives', async (t) => {
      const W = define('W', {
        onCreate() {
          throw new Error('bad start');
        },
        onAsk: () => 'alive',
      });
      const broker = await system(t).start('b', { classes: [W] });
      const told = listen(broker);
      const agent = await broker.createWorker('W');
      assert.equal(await agent.ask('x'), 'alive');
      assert.equal(broker.load, 1);
      assert.ok(told.logs.some(({ id, level, message }) => id === 'b' && level === 'warn' && /bad start/.test(message)));
    });

    test('an onTell that throws or rejects is reported by events, and the worker stays active', async (t) => {
      const W = define('W', {
        onTell(method) {
          if (method === 'throw') throw new Error('thrown');
          if (method === 'reject') return Promise.reject(new Error('rejected'));
          if (method === 'rejectWithNothing') return Promise.reject(undefined);
          return { then: (_, fail) => fail('a string') };
        },
        onAsk: () => 'alive',
      });
      const broker = await system(t).start('b', { classes: [W] });
      const agent = await broker.createWorker('W', { id: 'w' });
      // Once with nobody listening, once with somebody.
      for (const method of ['throw', 'reject', 'rejectWithNothing', 'thenable']) await agent.tell(method);
      assert.equal(await agent.ask('x'), 'alive');
      const told = listen(broker);
      for (const method of ['throw', 'reject', 'rejectWithNothing', 'thenable']) await agent.tell(method);
      assert.equal(await agent.ask('x'), 'alive');
      await until('all four are told', () => told.errors.length === 4);
      const seen = new Map(told.errors.map(({ id, method, error }) => [method, [id, error instanceof Error ? error.message : error]]));
      assert.deepEqual(Object.fromEntries(seen), {
        throw: ['w', 'thrown'], reject: ['w', 'rejected'], rejectWithNothing: ['w', undefined], thenable: ['w', 'a string'],
      });
      assert.ok(told.logs.some(({ level, message }) => level === 'error' && /thrown/.test(message)));
    });

    test('an onDestroy that throws does not keep its broker from going', async (t) => {
      const W = define('W', {
        onDestroy() {
          throw new Error('stuck');
        },
      });
      const broker = await system(t).start('b', { classes: [W] });
      await broker.createWorker('W');
      await broker.destroy();
      assert.equal(broker.load, 0);
    });

    test('an onDestroy that never ends keeps its broker no longer than destroyTimeout', async (t) => {
      const W = define('W', { onDestroy: () => new Promise(() => {}) });
      const broker = await system(t).start('b', { classes: [W], destroyTimeout: 200 });
      await broker.createWorker('W');
      const began = Date.now();
      await broker.destroy();
      assert.ok(Date.now() - began < 3000);
    });

    test('a worker that ends itself, and whose onDestroy never does, is given up after destroyTimeout', async (t) => {
      const W = define('W', {
        onAsk() {
          this.destroy();
        },
        onDestroy: () => new Promise(() => {}),
      });
      const broker = await system(t).start('b', { classes: [W], destroyTimeout: 200 });
      const told = listen(broker);
      const agent = await broker.createWorker('W', { id: 'w' });
      await agent.ask('end yourself');
      await until('nothing of it is left', async () => (await broker.findWorker('w')) === null);
      assert.ok(told.logs.some(({ message }) => /onDestroy of worker w did not settle within 200 ms/.test(message)));
    });
  });
});

test('a broker whose Redis is gone is destroyed within destroyTimeout and a second', async () => {
  const server = await startRedis();
  const broker = new Broker('b', { redis: server.url, destroyTimeout: 1000 });
  broker.registerWorker('W', class W extends Worker {});
  await broker.start();
  await broker.createWorker('W');
  await server.stop();
  const began = Date.now();
  await broker.destroy();
  const took = Date.now() - began;
  broker.quit();
  assert.ok(took < 2500, `${took} ms`);
});

describe('what an ask rejects with', () => {
  const circular = { name: 'loop' };
  circular.self = circular;
  const bad = new Proxy({}, {
    get() {
      throw new Error('trap');
    },
  });
  const inner = Object.assign(new Error('too late'), { code: 'DW_ERR_TIMEOUT', delivered: 'unknown' });
  const failures = {
    error: new Error('plain'),
    typed: new TypeError('typed'),
    coded: Object.assign(new RangeError('coded'), { code: 'E_CODE', status: 404, details: { list: [1, 2] }, delivered: 'no' }),
    unjsonable: Object.assign(new Error('with odd properties'), { big: 10n, circular, call() {}, kept: true }),
    inner,
    caused: new Error('outer', { cause: new Error('middle', { cause: inner }) }),
    string: 'just text',
    number: 42,
    undefined,
    null: null,
    symbol: Symbol('sign'),
    object: { reason: 'because' },
    errorLike: { name: 'Custom', message: 'like an error', code: 'E_LIKE' },
    bare: Object.create(null),
    circular,
    bad,
    hostile: JSON.parse('{"message":"hostile","__proto__":{"polluted":true},"stack":"fake","constructor":1}'),
  };
  const Failing = worker('Failing', { onAsk: (method) => Promise.reject(failures[method]) });
  let failure;

  async function failureOf(t, method) {
    const broker = await memorySystem(t).start('b', { classes: [Failing] });
    const error = await rejection((await broker.createWorker('Failing')).ask(method));
    assert.ok(error instanceof Error);
    assert.equal(error.delivered, 'yes');
    return error;
  }

  test('keeps the name, the message, the code and what JSON can say of an Error', async (t) => {
    failure = await failureOf(t, 'coded');
    assert.equal(failure.name, 'RangeError');
    assert.equal(failure.message, 'coded');
    assert.equal(failure.code, 'E_CODE');
    assert.equal(failure.status, 404);
    assert.deepEqual(failure.details, { list: [1, 2] });
    assert.match(failure.stack, /^RangeError: coded/);
    assert.deepEqual(Object.keys(failure).sort(), ['code', 'delivered', 'details', 'status']);
  });

  test('has the code DW_ERR_REJECTED where the handler gave none', async (t) => {
    failure = await failureOf(t, 'typed');
    assert.deepEqual([failure.name, failure.message, failure.code], ['TypeError', 'typed', 'DW_ERR_REJECTED']);
  });

  test('leaves out what JSON cannot say', async (t) => {
    failure = await failureOf(t, 'unjsonable');
    assert.deepEqual(Object.keys(failure).sort(), ['code', 'delivered', 'kept']);
  });

  test('makes an error of this package that a handler lets through the cause of DW_ERR_REJECTED', async (t) => {
    failure = await failureOf(t, 'inner');
    assert.deepEqual([failure.message, failure.code], ['too late', 'DW_ERR_REJECTED']);
    assert.ok(failure.cause instanceof Error);
    assert.deepEqual([failure.cause.message, failure.cause.code, failure.cause.delivered], ['too late', 'DW_ERR_TIMEOUT', 'unknown']);
  });

  test('keeps the chain of causes', async (t) => {
    failure = await failureOf(t, 'caused');
    assert.equal(failure.cause.message, 'middle');
    assert.equal(failure.cause.cause.code, 'DW_ERR_TIMEOUT');
  });

  const messages = {
    string: 'just text', number: 'The handler rejected with 42', undefined: 'The handler rejected with undefined',
    null: 'The handler rejected with null', symbol: 'The handler rejected with Symbol(sign)',
    object: 'The handler rejected with {"reason":"because"}', errorLike: 'like an error', bare: 'The handler rejected with {}',
    circular: 'The handler rejected with [object Object]', bad: 'The handler rejected with a value that cannot be read',
  };
  for (const [what, message] of Object.entries(messages)) {
    test(`is an Error where the handler rejects with ${what}`, async (t) => {
      failure = await failureOf(t, what);
      assert.equal(failure.message, message);
      assert.equal(failure.code, what === 'errorLike' ? 'E_LIKE' : 'DW_ERR_REJECTED');
    });
  }

  test('keeps the own properties of an object that is no Error', async (t) => {
    assert.equal((await failureOf(t, 'object')).reason, 'because');
  });

  test('lets no property in that would change what an Error is', async (t) => {
    failure = await failureOf(t, 'hostile');
    assert.equal(failure.message, 'hostile');
    assert.equal(failure.polluted, undefined);
    assert.equal(failure.constructor, Error);
    assert.match(failure.stack, /^Error: hostile\n/);
  });
});

describe('an answer that JSON cannot express fails its ask alone', () => {
  const circular = {};
  circular.self = circular;
  const answers = {
    circular,
    bigint: 10n,
    throwing: {
      toJSON() {
        throw new Error('no JSON');
      },
    },
  };
  for (const what of Object.keys(answers)) {
    test(what, async (t) => {
      const W = worker('W', { onAsk: (method) => (method === 'ok' ? 'ok' : answers[method]) });
      const agent = await (await memorySystem(t).start('b', { classes: [W] })).createWorker('W', { id: 'w' });
      const [error, ok] = await Promise.all([rejection(agent.ask(what)), agent.ask('ok')]);
      assert.match(error.message, new RegExp(`^The answer of worker w to '${what}' cannot be turned into JSON: `));
      assert.deepEqual([error.code, error.delivered, ok], ['DW_ERR_REJECTED', 'yes', 'ok']);
    });
  }
});

test('a listener or a callback of the application that throws reaches the process, not the other messages', () => {
  const { spawnSync } = require('node:child_process');
  const script = `
    const { Broker, Worker } = require(${JSON.stringify(require.resolve('..'))});
    class W extends Worker { onAsk(m, d) { return d; } onTell() { throw new Error('tell'); } }
    const thrown = [];
    process.on('uncaughtException', (e) => thrown.push(e.message));
    (async () => {
      const br = new Broker('b', { redis: 'memory://' });
      br.registerWorker(W);
      br.on('workerError', () => { throw new Error('listener'); });
      await br.start();
      const agent = await br.createWorker('W');
      agent.ask('m', 1, () => { throw new Error('callback'); });
      agent.tell('m');
      await agent.ask('m', 2);
      await new Promise((r) => setTimeout(r, 50));
      await br.destroy();
      br.quit();
      console.log(thrown.sort().join());
    })();`;
  const { stdout, status } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
  assert.equal(stdout.trim(), 'callback,listener');
  assert.equal(status, 0);
});
