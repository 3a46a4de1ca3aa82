'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const native = require('../binding.js');
const { Names, RENEWAL } = require('../lib/base/names');
const { kCore } = require('../lib/base/symbols');
const { LIMIT } = require('../lib/protocol');
const { worker } = require('./helpers/classes');
const { memorySystem } = require('./helpers/systems');

const MANY = LIMIT.KNOWN_NAMES;

test('a text has one number, which the core is told once', () => {
  const told = [];
  const names = new Names((...all) => told.push(all));
  assert.deepEqual(['w', 'm', 'w', 'm', ''].map((text) => names.shorten(text)), [0, 1, 0, 1, 2]);
  assert.deepEqual(told, [[0, 'w'], [1, 'm'], [2, '']]);
});

test('when all numbers are given away other texts stay as they are, until many came: then the table is filled anew', () => {
  const core = [];
  const names = new Names((number, text) => (core[number] = text));
  for (let n = 0; n < MANY; n += 1) assert.equal(names.shorten(`old ${n}`), n);
  for (let n = 1; n < RENEWAL; n += 1) assert.equal(names.shorten(`new ${n}`), `new ${n}`);
  assert.equal(names.shorten('old 7'), 7);
  assert.equal(names.shorten('new'), 0);
  assert.equal(names.shorten('old 7'), 1);
  assert.deepEqual([core[0], core[1], core[2], core.length], ['new', 'old 7', 'old 2', MANY]);
});

test('a message arrives under its own name, whether that has a number or not', async (t) => {
  const Named = worker('Named', {
    onAsk(method, data) {
      return [this.id, method, data];
    },
  });
  const system = memorySystem(t);
  await system.start('host', { classes: [Named] });
  const caller = system.broker('caller', { clustername: 'callers' });
  caller.registerWorker(Named, { clustername: 'main' });
  await caller.start();
  const [one, other] = await Promise.all(['one', 'ötherε'].map((id) => caller.createWorker('Named', { id })));
  for (let from = 0; from < MANY + 200; from += 500) {
    const numbers = Array.from({ length: 500 }, (_, n) => from + n);
    const answers = await Promise.all(numbers.map((n) => (n % 2 === 0 ? one : other).ask(`method ${n}`, n)));
    assert.deepEqual(answers, numbers.map((n) => [n % 2 === 0 ? 'one' : 'ötherε', `method ${n}`, n]));
  }
  assert.deepEqual(await one.ask('', 1), ['one', '', 1]);
});

test('the core refuses numbers that name nothing, and goes on', async (t) => {
  const broker = await memorySystem(t).start('b');
  const { id } = broker[kCore].channel.native;
  const refused = /is the number of none/;
  assert.throws(() => native.tell(id, 1, MANY, 'm', '1', 1), refused);
  assert.throws(() => native.ask(id, 1, 'w', -1, '1', 1, 1000), refused);
  assert.throws(() => native.setName(id, MANY, 'too many'), refused);
  assert.throws(() => native.setName(id, 0, 5), Error);
  native.setName(id, 0, 'w');
  assert.equal(native.tell(id, 1, 0, 0, '1', 1), false);
});
