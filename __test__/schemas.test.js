'use strict';

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { Broker, Worker } = require('..');
const { memorySystem } = require('./helpers/systems');
const { rejection, until } = require('../support/wait');

/** A schema written by hand, as the specification has it. */
const byHand = (validate) => ({ '~standard': { version: 1, vendor: 'test', validate } });

/** Each library's schema of `{ sku: string, n: number from 1 on, 1 where absent }`. */
const LIBRARIES = {
  zod: (z) => z.object({ sku: z.string(), n: z.number().min(1).default(1) }),
  valibot: (v) => v.object({ sku: v.string(), n: v.optional(v.pipe(v.number(), v.minValue(1)), 1) }),
  arktype: ({ type }) => type({ sku: 'string', n: 'number>=1 = 1' }),
};

function cartOf(schema) {
  return class Cart extends Worker {
    static methods = ['add'];
    static input = { add: schema };
    add(item) {
      return item;
    }
  };
}

for (const [name, make] of Object.entries(LIBRARIES)) {
  let library;
  try {
    library = require(name);
  } catch {
    library = undefined;
  }
  test(`A schema of ${name} checks the input of a method`, { skip: library === undefined && `${name} is not installed: run "npm ci"` }, async (t) => {
    const broker = await memorySystem(t).start('b', { classes: [cartOf(make(library))] });
    const { call } = await broker.createWorker('Cart');
    assert.deepEqual(await call.add({ sku: 'tea', n: 2 }), { sku: 'tea', n: 2 });
    assert.deepEqual(await call.add({ sku: 'tea' }), { sku: 'tea', n: 1 });
    for (const [wrong, path] of [[{ sku: 1, n: 2 }, ['sku']], [{ sku: 'tea', n: 0 }, ['n']], ['text', []], [undefined, []], [null, []]]) {
      const error = await rejection(call.add(wrong));
      assert.deepEqual([error.name, error.code, error.delivered], ['InputError', 'DW_ERR_REJECTED', 'yes']);
      assert.deepEqual(error.issues[0].path, path);
      assert.match(error.message, /^The input of Cart\.add was refused: ./);
    }
  });
}

describe('A schema', () => {
  test('may be asynchronous, and its method gets what it makes', async (t) => {
    const schema = byHand(async (value) => (value > 0 ? { value: 2 * value } : { issues: [{ message: 'too small' }] }));
    const broker = await memorySystem(t).start('b', { classes: [cartOf(schema)] });
    const { call } = await broker.createWorker('Cart');
    assert.equal(await call.add(4), 8);
    assert.equal((await rejection(call.add(0))).message, 'The input of Cart.add was refused: too small');
  });

  test('that throws fails the call with its error', async (t) => {
    const schema = byHand(() => {
      throw new TypeError('broken schema');
    });
    const broker = await memorySystem(t).start('b', { classes: [cartOf(schema)] });
    assert.equal((await rejection((await broker.createWorker('Cart')).call.add(4))).message, 'broken schema');
  });

  test('with very many issues has an error of bounded size', async (t) => {
    const issues = Array.from({ length: 100000 }, (_, index) => ({ message: 'wrong', path: ['list', { key: index }, 'name'] }));
    const broker = await memorySystem(t).start('b', { classes: [cartOf(byHand(() => ({ issues })))] });
    const error = await rejection((await broker.createWorker('Cart')).call.add(4));
    assert.equal(error.issues.length, 64);
    assert.deepEqual(error.issues[1], { message: 'wrong', path: ['list', 1, 'name'] });
    assert.match(error.message, /: list\.0\.name: wrong; list\.1\.name: wrong; list\.2\.name: wrong \(and 99997 more\)$/);
  });

  test('refuses the data of a tell, which the broker reports', async (t) => {
    const broker = await memorySystem(t).start('b', { classes: [cartOf(byHand(() => ({ issues: [{ message: 'never' }] })))] });
    const failures = [];
    broker.on('workerError', ({ id, method, error }) => failures.push([id, method, error.message]));
    await (await broker.createWorker('Cart')).send.add(1);
    await until('the failure is reported', () => failures.length === 1);
    assert.deepEqual(failures, [['Cart#1', 'add', 'The input of Cart.add was refused: never']]);
  });

  test('that is asynchronous keeps the turn of a serial worker', async (t) => {
    const order = [];
    class Serial extends Worker {
      static concurrency = 'serial';
      static methods = ['add'];
      static input = {
        add: byHand(async (value) => {
          order.push(`check ${value}`);
          await new Promise((resolve) => setImmediate(resolve));
          return { value };
        }),
      };
      async add(value) {
        order.push(`add ${value}`);
      }
    }
    const broker = await memorySystem(t).start('b', { classes: [Serial] });
    const { call } = await broker.createWorker('Serial');
    await Promise.all([call.add(1), call.add(2)]);
    assert.deepEqual(order, ['check 1', 'add 1', 'check 2', 'add 2']);
  });
});

describe('static input is refused', () => {
  const register = (input, methods = ['add']) => () =>
    new Broker('b', { redis: 'memory://' }).registerWorker(class Cart extends Worker {
      static methods = methods;
      static input = input;
      add() {}
    });
  for (const [what, input] of [['is no object', 'all'], ['names no declared method', { ad: byHand(() => ({})) }], ['has no schema', { add: { parse() {} } }], ['has null', { add: null }]]) {
    test(`where it ${what}`, () => assert.throws(register(input), { code: 'DW_ERR_CONFIG', message: /static input/ }));
  }

  test('but not where the class declares no methods', () => register('mine', 'mine')());
});
