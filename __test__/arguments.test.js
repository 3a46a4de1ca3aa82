'use strict';

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { Agent, Broker, Router, Worker } = require('..');
const { memorySystem } = require('./helpers/systems');
const { echo, worker } = require('./helpers/classes');
const { called, rejection } = require('../support/wait');

const ASTRAL = '𝒳';
const TOO_LONG = 'x'.repeat(513);

/** One form of message, one code. */
function isBadArgument(name) {
  return (error) => {
    assert.equal(error.name, 'Error');
    assert.equal(error.code, 'DW_ERR_CONFIG');
    assert.equal(error.delivered, 'no');
    assert.match(error.message, /^Expected .+ for .+ but received .+ of type \w+/);
    assert.ok(error.message.includes(` for ${name} but received `), error.message);
    return true;
  };
}

describe('new Broker', () => {
  for (const id of [undefined, null, '', 5, {}, TOO_LONG, `${'é'.repeat(257)}`, '\ud800']) {
    test(`refuses the id ${String(id).slice(0, 10)} (${typeof id})`, () => {
      assert.throws(() => new Broker(id), isBadArgument('id'));
    });
  }

  test('takes an id in any script, of 512 bytes', () => {
    assert.equal(new Broker(ASTRAL.repeat(128)).id, ASTRAL.repeat(128));
  });

  const wrong = {
    ns: 5, clustername: '', rpcTimeout: '3s', ttl: -1, healthCheckInterval: 'often', socTimeout: null, redis: 5, promise: 'later',
    listen: 'here', lease: 3, retries: 'many', brokerCache: 5, destroyTimeout: -5, maxMessageBytes: 0,
  };
  for (const [name, value] of Object.entries(wrong)) {
    test(`refuses ${name}: ${JSON.stringify(value)}`, () => {
      assert.throws(() => new Broker('b', { [name]: value }), isBadArgument(name));
    });
  }
});

describe('registerWorker', () => {
  const broker = new Broker('b', { redis: 'memory://arguments' });
  const Odd = worker('Odd');
  Odd.agent = function NoAgent() {};
  const cases = [
    ['nothing', [], 'worker class'],
    ['null', [null], 'worker class'],
    ['a name without a class', ['Name'], 'worker class'],
    ['an object as the class', ['Name', {}], 'worker class'],
    ['a function that is no Worker', ['Name', function Name() {}], 'worker class'],
    ['Worker itself', ['Name', Worker], 'worker class'],
    ['a class without a name', [class extends Worker {}], 'name of the worker class'],
    ['an empty name', ['', echo()], 'name of the worker class'],
    ['a name that is too long', [TOO_LONG, echo()], 'name of the worker class'],
    ['an agent that is no Agent', ['Odd', Odd], 'agent of the worker class'],
    ['a clustername that is no string', [echo(), { clustername: 5 }], 'clustername'],
    ['an option that is no object', [echo(), 'main'], 'option of registerWorker()'],
  ];
  for (const [what, args, name] of cases) {
    test(`refuses ${what}`, () => {
      assert.throws(() => broker.registerWorker(...args), isBadArgument(name));
    });
  }
});

describe('setWorkerRegistry', () => {
  for (const registry of ['bad', null, undefined, {}, { add() {} }, { get() {} }]) {
    test(`refuses ${JSON.stringify(registry)}`, () => {
      assert.throws(() => new Broker('b').setWorkerRegistry(registry), isBadArgument('worker registry'));
    });
  }
});

describe('a started broker', () => {
  const circular = {};
  circular.self = circular;
  const cases = [
    ['createWorker without a name', (b, cb) => b.createWorker(undefined, {}, cb), 'name of the worker class'],
    ['createWorker with an empty name', (b, cb) => b.createWorker('', {}, cb), 'name of the worker class'],
    ['createWorker with an option that is no object', (b, cb) => b.createWorker('Echo', 'fast', cb), 'option of createWorker()'],
    ['createWorker with an empty id', (b, cb) => b.createWorker('Echo', { id: '' }, cb), 'option.id'],
    ['createWorker with a number as id', (b, cb) => b.createWorker('Echo', { id: 7 }, cb), 'option.id'],
    ['createWorker with an id that is too long', (b, cb) => b.createWorker('Echo', { id: TOO_LONG }, cb), 'option.id'],
    ['createWorker with attributes that are no object', (b, cb) => b.createWorker('Echo', { attributes: 'a' }, cb), 'option.attributes'],
    ['createWorker with an array as attributes', (b, cb) => b.createWorker('Echo', { attributes: [] }, cb), 'option.attributes'],
    ['createWorker with circular attributes', (b, cb) => b.createWorker('Echo', { attributes: circular }, cb), 'option.attributes'],
    ['findWorker without an id', (b, cb) => b.findWorker(undefined, cb), 'worker id'],
    ['findWorker with an empty id', (b, cb) => b.findWorker('', cb), 'worker id'],
    ['destroy with an option that is no object', (b, cb) => b.destroy(5, cb), 'option of destroy()'],
    ['ask without a method', (b, cb) => new Agent('w', b).ask(undefined, 1, cb), 'method'],
    ['ask with a method that is too long', (b, cb) => new Agent('w', b).ask('é'.repeat(129), 1, cb), 'method'],
    ['ask with circular data', (b, cb) => new Agent('w', b).ask('m', circular, cb), 'data'],
    ['ask with a BigInt', (b, cb) => new Agent('w', b).ask('m', 10n, cb), 'data'],
    ['ask with an option that is no object', (b, cb) => new Agent('w', b).ask('m', 1, 5, cb), 'option of ask()'],
    ['ask with a timeout of 0', (b, cb) => new Agent('w', b).ask('m', 1, { timeout: 0 }, cb), 'option.timeout'],
    ['ask with a timeout that is no number', (b, cb) => new Agent('w', b).ask('m', 1, { timeout: '5' }, cb), 'option.timeout'],
    ['ask with a signal that is none', (b, cb) => new Agent('w', b).ask('m', 1, { signal: {} }, cb), 'option.signal'],
    ['tell without a method', (b, cb) => new Agent('w', b).tell(null, 1, cb), 'method'],
    ['tell with a BigInt', (b, cb) => new Agent('w', b).tell('m', { n: 10n }, cb), 'data'],
  ];
  for (const [what, call, name] of cases) {
    test(`rejects ${what}, by promise and by callback`, async (t) => {
      const broker = await memorySystem(t).start('b', { classes: [echo()] });
      isBadArgument(name)(await rejection(call(broker)));
      isBadArgument(name)(await rejection(called((callback) => call(broker, callback))));
      assert.equal(broker.state, Broker.State.ACTIVE);
    });
  }

  test('rejects a callback that is no function', async (t) => {
    const broker = await memorySystem(t).start('b');
    for (const call of [() => broker.findWorker('x', 'cb'), () => broker.restart(5), () => new Agent('x', broker).ask('m', 1, {}, {})]) {
      isBadArgument('callback')(await rejection(call()));
    }
    assert.equal(broker.state, Broker.State.ACTIVE);
  });

  test('rejects attributes of more than 64 KiB of JSON as too large', async (t) => {
    const broker = await memorySystem(t).start('b', { classes: [echo()] });
    const error = await rejection(broker.createWorker('Echo', { attributes: { text: 'é'.repeat(33000) } }));
    assert.equal(error.code, 'DW_ERR_TOO_LARGE');
    assert.equal(error.delivered, 'no');
    assert.ok(await broker.createWorker('Echo', { attributes: { text: 'x'.repeat(65000) } }));
  });

  test('leaves the option objects of its caller alone', async (t) => {
    const broker = await memorySystem(t).start('b', { classes: [echo()] });
    const option = Object.freeze({ attributes: Object.freeze({ a: 1 }) });
    await broker.createWorker('Echo', option);
    assert.deepEqual(option, { attributes: { a: 1 } });
  });
});

describe('new Agent', () => {
  test('refuses an id that is no non-empty string', () => {
    for (const id of [undefined, null, '', 123, TOO_LONG]) {
      assert.throws(() => new Agent(id, new Broker('b')), isBadArgument('agent id'));
    }
  });
  test('refuses a missing broker', () => {
    for (const broker of [undefined, null]) assert.throws(() => new Agent('w', broker), isBadArgument('broker'));
  });
  test('rejects calls through what is no broker of this package', async () => {
    const agent = new Agent('w', {});
    assert.equal((await rejection(agent.ask('m'))).code, 'DW_ERR_STATE');
    assert.equal((await rejection(agent.tell('m'))).code, 'DW_ERR_STATE');
  });
});

describe('worker.destroy', () => {
  test('refuses an option that is no object', () => {
    assert.throws(() => new (worker('W'))('w', {}).destroy(true), isBadArgument('option of worker.destroy()'));
  });
});

describe('new Router', () => {
  test('refuses a socTimeout that is no number', () => {
    assert.throws(() => new Router({ socTimeout: 'long' }), isBadArgument('socTimeout'));
  });
});
