'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Agent } = require('..');
const { onEachCoordinator } = require('./helpers/systems');
const { echo } = require('./helpers/classes');
const { rejection, until } = require('../support/wait');

onEachCoordinator((system) => {
  test('createWorker of an id that belongs to a worker of another class rejects and names both classes', async (t) => {
    const s = system(t);
    const classes = [echo('User'), echo('Cart')];
    const a = await s.start('a', { classes });
    const b = await s.start('b', { classes });
    await a.createWorker('User', { id: '42' });
    for (const broker of [a, b]) {
      const error = await rejection(broker.createWorker('Cart', { id: '42' }));
      assert.deepEqual([error.code, error.delivered], ['DW_ERR_CLASS_MISMATCH', 'no']);
      assert.match(error.message, /"42".*"Cart".*"User"/);
    }
    assert.equal(await (await b.createWorker('User', { id: '42' })).ask('m', 1), 1);
  });

  test('a worker whose class no broker hosts any more is named with its class in every error and one warning', async (t) => {
    const s = system(t);
    const a = await s.start('a', { classes: [echo('OldName')] });
    await a.createWorker('OldName', { id: 'o', attributes: { recoverable: true } });
    const option = { rpcTimeout: 300, retries: { duration: 200, maxInterval: 50 } };
    const b = s.broker('b', { classes: [echo('NewName')], ...option });
    const warnings = [];
    b.on('log', ({ level, message }) => level === 'warn' && warnings.push(message));
    await b.start();
    await a.destroy();
    const agent = new Agent('o', b);
    await until('the class is known to be missing', async () => (await rejection(agent.ask('m'))).code === 'DW_ERR_NO_BROKER');
    for (const call of [() => agent.ask('m'), () => b.findWorker('o')]) {
      const error = await rejection(call());
      assert.deepEqual([error.code, error.delivered], ['DW_ERR_NO_BROKER', 'no']);
      assert.match(error.message, /"o" of class "OldName" is waiting to be recovered, but that class is not registered at any broker of cluster "main"/);
    }
    const error = await rejection(b.createWorker('NewName', { id: 'o' }));
    assert.deepEqual([error.code, error.delivered], ['DW_ERR_CLASS_MISMATCH', 'no']);
    assert.match(error.message, /"NewName".*"OldName".*that class is not registered at any broker of cluster "main"/);
    assert.deepEqual(
      warnings.filter((message) => message.includes('"OldName"')).map((message) => /its class "OldName" is not registered at any broker/.test(message)),
      [true]
    );
    b.registerWorker(echo('OldName'));
    await until('it is recovered', async () => (await agent.ask('m', 2)) === 2);
  });
});
