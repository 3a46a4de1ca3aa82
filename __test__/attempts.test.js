'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Worker } = require('..');
const { kCore } = require('../lib/base/symbols');
const { onEachCoordinator } = require('./helpers/systems');
const { worker } = require('./helpers/classes');
const { until } = require('../support/wait');

const { NEW, RECOVERY } = Worker.CreateCause;

onEachCoordinator((system) => {
  test('a first onCreate that its process did not survive is NEW again, and info.attempt counts', async (t) => {
    const s = system(t);
    const seen = [];
    const Order = worker('Order', {
      onCreate(info) {
        seen.push([this.__priv.br.id, info.cause, info.attempt]);
        return seen.length > 1 ? undefined : new Promise(() => {});
      },
      onAsk() {
        return this.__priv.br.id;
      },
    });
    const a = await s.start('a', { classes: [Order] });
    const creator = await s.start('creator', { clustername: 'elsewhere', classes: [] });
    creator.registerWorker(Order, { clustername: 'main' });
    const created = creator.createWorker('Order', { id: 'o', attributes: { recoverable: true } }).catch(() => null);
    await until('the first onCreate began', () => seen.length === 1);
    const b = await s.start('b', { classes: [Order] });
    a[kCore].crash();
    const agent = await until('the second one ended well', () => creator.createWorker('Order', { id: 'o' }));
    assert.equal(await agent.ask('where'), 'b');
    await s.start('c', { classes: [Order] });
    await b.destroy();
    await until('it is handed over', async () => (await agent.ask('where')) === 'c');
    assert.deepEqual(seen, [
      ['a', NEW, 1],
      ['b', NEW, 2],
      ['c', RECOVERY, 1],
    ]);
    await created;
  });
});
