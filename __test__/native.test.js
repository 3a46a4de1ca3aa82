'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const native = require('../binding.js');
const { kCore } = require('../lib/base/symbols');
const { echo } = require('./helpers/classes');
const { memorySystem } = require('./helpers/systems');

const GONE = 0xffffffff;
const FUNCTIONS = {
  ask: [[GONE, 1, 'w', 'm', '1', 1000, false], undefined],
  tell: [[GONE, 1, 'w', 'm', '1', false], false],
  reply: [[GONE, 1, '1', false], undefined],
  drain: [[GONE], null],
  mayStart: [[GONE, 0], false],
  flush: [[GONE], false],
  setName: [[GONE, 0, 'w'], undefined],
};

for (const [name, [args, nothing]] of Object.entries(FUNCTIONS)) {
  test(`${name}() of the addon does nothing for a broker that is gone, and throws where it cannot read its arguments`, () => {
    assert.equal(native[name](...args), nothing);
    for (const wrong of [[], ['0'], [null], [{}], [Symbol('s')], [10n]]) assert.throws(() => native[name](...wrong), Error);
  });
}

test('the same where the broker is there, which goes on', async (t) => {
  const broker = await memorySystem(t).start('b', { classes: [echo()] });
  const agent = await broker.createWorker('Echo');
  const { id } = broker[kCore].channel.native;
  const wrong = {
    ask: [id, 1, 5, 'm', '1', 1000, false],
    tell: [id, 1, agent.id, 'm', 5, false],
    reply: [id, 'one', '1', false],
    mayStart: [id],
  };
  for (const [name, args] of Object.entries(wrong)) assert.throws(() => native[name](...args), Error);
  assert.equal(native.flush(id), false);
  assert.equal(native.drain(id, 256), null);
  assert.deepEqual(await agent.ask('m', 1), await agent.ask('m', 1));
});
