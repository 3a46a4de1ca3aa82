'use strict';

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const Bluebird = require('bluebird');
const { AskOutcome } = require('../lib/runtime/workers/outcome');
const { onEachCoordinator, memorySystem } = require('./helpers/systems');
const { inEachStyle, worker } = require('./helpers/classes');
const { called, rejection, until } = require('../support/wait');

/** Every way in which a handler may give `value`. */
const WAYS = {
  plainValue: (value) => value,
  nativePromise: (value) => Promise.resolve(value),
  bluebirdPromise: (value) => Bluebird.resolve(value).delay(1),
  thenable: (value) => ({ then: (done) => setImmediate(done, value) }),
  thenableOfPromise: (value) => ({ then: (done) => done(Promise.resolve(value)) }),
  callback: (value, cb) => void setImmediate(cb, null, value),
  callbackAtOnce: (value, cb) => void cb(null, value),
  callbackWithPromise: (value, cb) => void cb(null, Promise.resolve(value)),
};
/** Every way in which a handler may fail with `error`. */
const FAILURES = {
  throw: (error) => {
    throw error;
  },
  nativePromise: (error) => Promise.reject(error),
  bluebirdPromise: (error) => Bluebird.reject(error),
  thenable: (error) => ({ then: (_, fail) => setImmediate(fail, error) }),
  thenableThatThrows: (error) => ({
    then() {
      throw error;
    },
  }),
  callback: (error, cb) => void setImmediate(cb, error),
};

inEachStyle(describe, (define) => {
  onEachCoordinator((system) => {
    const Any = define('Any', {
      onAsk(method, data, cb) {
        if (method in WAYS) return WAYS[method](data, cb);
        return FAILURES[method.slice('fail '.length)](Object.assign(new Error('no'), { code: 'E_NO' }), cb);
      },
    });

    test('an ask is answered by whatever its handler gives', async (t) => {
      const agent = await (await system(t).start('b', { classes: [Any] })).createWorker('Any');
      for (const way of Object.keys(WAYS)) {
        assert.deepEqual(await agent.ask(way, { way, n: [1, 2] }), { way, n: [1, 2] }, way);
        assert.equal(await called((cb) => agent.ask(way, way, cb)), way, `${way}, in callback form`);
      }
    });

    test('an ask fails with whatever its handler fails with', async (t) => {
      const agent = await (await system(t).start('b', { classes: [Any] })).createWorker('Any');
      for (const way of Object.keys(FAILURES)) {
        for (const call of [() => agent.ask(`fail ${way}`), () => called((cb) => agent.ask(`fail ${way}`, null, cb))]) {
          const error = await rejection(call());
          assert.deepEqual([error.message, error.code, error.delivered], ['no', 'E_NO', 'yes'], way);
        }
      }
    });
  });
});

describe('the first outcome of a handler wins', () => {
  const cases = {
    'the callback before a value': [(cb) => (cb(null, 'callback'), 'value'), 'callback'],
    'the callback before a throw': [
      (cb) => {
        cb(null, 'callback');
        throw new Error('too late');
      },
      'callback',
    ],
    'a value before the callback': [(cb) => (setImmediate(cb, null, 'callback'), 'value'), 'value'],
    'null before the callback': [(cb) => (setImmediate(cb, null, 'callback'), null), null],
    'the callback before a promise': [(cb) => (setImmediate(cb, null, 'callback'), new Promise(() => {})), 'callback'],
    'the first of two callbacks': [(cb) => void (cb(null, 'callback'), cb(new Error('second'))), 'callback'],
    'the first of a thenable that settles twice': [() => ({ then: (done, fail) => (done('first'), fail(new Error('second'))) }), 'first'],
  };
  for (const [what, [handler, answer]] of Object.entries(cases)) {
    test(what, async (t) => {
      const W = worker('W', { onAsk: (method, data, cb) => handler(cb) });
      const broker = await memorySystem(t).start('b', { classes: [W] });
      const agent = await broker.createWorker('W');
      assert.equal(await agent.ask('x'), answer);
      // Whatever came second must not have harmed what comes after.
      assert.equal(await agent.ask('x'), answer);
    });
  }
});

describe('undefined from a handler', () => {
  test('that declares the callback waits for the callback', async (t) => {
    const W = worker('W', {
      onAsk(method, data, cb) {
        setTimeout(cb, 20, null, 'called back');
      },
    });
    const agent = await (await memorySystem(t).start('b', { classes: [W] })).createWorker('W');
    assert.equal(await agent.ask('x'), 'called back');
  });

  test('that does not declare it is the answer', async (t) => {
    const W = worker('W', {
      onAsk(_method, _data) {
        setTimeout(arguments[2], 5, null, 'too late');
      },
    });
    const agent = await (await memorySystem(t).start('b', { classes: [W] })).createWorker('W');
    assert.equal(await agent.ask('x'), undefined);
  });

  test('that never calls back ends in a timeout, delivered: unknown', async (t) => {
    const W = worker('W', { onAsk(_method, _data, _cb) {} });
    const agent = await (await memorySystem(t).start('b', { classes: [W], rpcTimeout: 100 })).createWorker('W');
    const began = Date.now();
    const error = await rejection(agent.ask('x'));
    assert.deepEqual([error.code, error.delivered], ['DW_ERR_TIMEOUT', 'unknown']);
    assert.ok(Date.now() - began >= 99);
  });
});

describe('onCreate and onDestroy', () => {
  for (const [way, give] of Object.entries(WAYS)) {
    test(`may end by ${way}`, async (t) => {
      const steps = [];
      const W = worker('W', {
        onCreate(info, cb) {
          steps.push(['create', info.cause]);
          return give('ignored', cb);
        },
        onDestroy(info, cb) {
          steps.push(['destroy', info.cause]);
          return give('ignored', cb);
        },
        onAsk: () => 'here',
      });
      const broker = await memorySystem(t).start('b', { classes: [W] });
      const agent = await broker.createWorker('W');
      assert.equal(await agent.ask('x'), 'here');
      await broker.destroy();
      assert.deepEqual(steps, [['create', 0], ['destroy', 1]]);
    });
  }

  test('that do not declare the callback end when they return', async (t) => {
    const W = worker('W', { onCreate() {}, onDestroy() {}, onAsk: () => 'here' });
    const broker = await memorySystem(t).start('b', { classes: [W] });
    assert.equal(await (await broker.createWorker('W')).ask('x'), 'here');
    await broker.destroy();
  });
});

describe('a worker class that overrides nothing', () => {
  test('is made with a load of 1, rejects asks and ignores tells', async (t) => {
    const broker = await memorySystem(t).start('b', { classes: [worker('Bare')] });
    const agent = await broker.createWorker('Bare');
    assert.equal(broker.load, 1);
    const error = await rejection(agent.ask('anything'));
    assert.deepEqual([error.message, error.code, error.delivered], ['Not implemented', 'DW_ERR_REJECTED', 'yes']);
    await agent.tell('anything');
    await broker.destroy();
    assert.equal(broker.load, 0);
  });

  test('has base handlers that answer by callback too', async () => {
    const { Worker } = require('..');
    assert.equal((await rejection(called((cb) => Worker.prototype.onAsk('m', 1, cb)))).message, 'Not implemented');
    await called((cb) => Worker.prototype.onDestroy({}, cb));
    assert.equal(Worker.prototype.onTell('m', 1), undefined);
    assert.ok(Worker.prototype.onDestroy({}) instanceof Bluebird);
  });
});

test('an ask is answered once, whichever of callback and promise comes first', async () => {
  for (const callbackFirst of [true, false]) {
    const answers = [];
    const dispatcher = { answer: (inbound, record, method, value) => answers.push(value), answerFailure: (inbound, reason) => answers.push(reason) };
    const workers = { dispatcher, contexts: { suspensions: 0 } };
    const outcome = new AskOutcome(workers, 1, { ended: 0, turn: null, cell: null }, 'm');
    let fulfil;
    outcome.returned(new Promise((resolve) => (fulfil = resolve)), true);
    const finish = [() => outcome.callback()(null, 'callback'), () => fulfil('promise')];
    for (const end of callbackFirst ? finish : finish.reverse()) {
      end();
      await null;
      await null;
    }
    assert.deepEqual(answers, [callbackFirst ? 'callback' : 'promise']);
  }
});

test('a handler runs once for an ask, whatever comes of it', async (t) => {
  let runs = 0;
  const W = worker('W', {
    onAsk(method) {
      runs += 1;
      if (method === 'fail') return Promise.reject(new Error('no'));
      return new Promise(() => {});
    },
  });
  const broker = await memorySystem(t).start('b', { classes: [W], rpcTimeout: 300 });
  const agent = await broker.createWorker('W');
  await rejection(agent.ask('fail'));
  await rejection(agent.ask('hang'));
  await until('both handlers ran', () => runs >= 2);
  assert.equal(runs, 2);
});
