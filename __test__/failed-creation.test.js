'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Agent } = require('..');
const { worker } = require('./helpers/classes');
const { memorySystem, onEachCoordinator } = require('./helpers/systems');
const { until } = require('../support/wait');

/** A class whose `onCreate` fails when `gate` opens, and a broker elsewhere that hosts it. */
async function start(system, t, gate) {
  const s = system(t);
  const Fails = worker('Fails', {
    async onCreate() {
      await gate;
      throw new Error('no database');
    },
    onAsk: () => 'alive',
  });
  const away = await s.start('away', { clustername: 'elsewhere' });
  const lines = new Map();
  const creator = async (id, listens = true) => {
    const broker = await s.start(id);
    lines.set(id, []);
    if (listens) broker.on('log', ({ level, message }) => level === 'warn' && lines.get(id).push(message));
    broker.registerWorker(Fails, { clustername: 'elsewhere' });
    return broker;
  };
  away.registerWorker(Fails, { clustername: 'elsewhere' });
  return { away, creator, lines };
}

onEachCoordinator((system) => {
  test('every creator on another broker gets the error of onCreate, and an active worker', async (t) => {
    let open;
    const { creator, lines } = await start(system, t, new Promise((resolve) => (open = resolve)));
    const [one, two, late] = [await creator('one'), await creator('two'), await creator('late')];
    const creations = [one, two].map((broker) => broker.createWorker('Fails', { id: 'w', attributes: { recoverable: true } }));
    await until('it is being created', () => one.findWorker('w'));
    open();
    for (const agent of await Promise.all(creations)) assert.equal(await agent.ask('x'), 'alive');
    for (const id of ['one', 'two']) {
      assert.deepEqual(lines.get(id), ["Worker w, which this broker created, failed in 'onCreate' on broker away and is active all the same: no database"]);
    }
    // It was there before this one wanted it.
    assert.equal(await (await late.createWorker('Fails', { id: 'w' })).ask('x'), 'alive');
    assert.deepEqual(lines.get('late'), []);
  });
});

test("without a listener for 'log' the creator's process emits a warning", async (t) => {
  const { creator } = await start(memorySystem, t, undefined);
  const one = await creator('one', false);
  const warned = new Promise((resolve) => {
    process.on('warning', function hear(warning) {
      if (!/Worker quiet, which this broker created, failed in 'onCreate' on broker away/.test(warning.message)) return;
      process.off('warning', hear);
      resolve(warning);
    });
  });
  await one.createWorker('Fails', { id: 'quiet' });
  assert.equal(await new Agent('quiet', one).ask('x'), 'alive');
  assert.equal((await warned).code, 'DW_WARN_UNHEARD_FAILURE');
});
