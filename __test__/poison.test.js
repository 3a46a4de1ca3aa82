'use strict';

const assert = require('node:assert/strict');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { Agent, Broker, Worker } = require('..');
const { atEnd } = require('./helpers/cleanup');
const { Child } = require('../support/child');
const { startRedis } = require('../support/redis-server');
const { rejection, until } = require('../support/wait');

const PROGRAM = path.join(__dirname, 'fixtures', 'poison.js');
const PROCESSES = 6;
const RECOVERABLE = { attributes: { recoverable: true } };
const PATIENCE_MS = 20_000;

let server;
before(async () => {
  server = await startRedis();
});
after(() => server.stop());

/** Starts processes that host Poison and Innocent; a broker of this process calls both, and hosts neither. */
async function start(t, ns, how) {
  const ended = [];
  const lost = [];
  const host = async (id) => {
    const child = new Child(PROGRAM, [JSON.stringify({ id, how, redis: server.url, ns })], {
      name: `The process of broker ${id}`, stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    atEnd(t, () => child.kill());
    child.process.once('exit', () => ended.push(id));
    await child.ready();
    child.process.on('message', (event) => lost.push(event));
  };
  class Poison extends Worker {}
  class Innocent extends Worker {}
  const caller = new Broker('caller', { redis: server.url, ns, clustername: 'callers', promise: 'native', rpcTimeout: 10_000 });
  for (const Class of [Poison, Innocent]) caller.registerWorker(Class, { clustername: 'main' });
  await caller.start();
  atEnd(t, async () => {
    await caller.destroy();
    caller.quit();
  });
  caller.on('workerLost', (event) => lost.push(event));
  return { caller, lost, ended, host };
}

async function answers(caller, ids) {
  const asked = ids.map((id) => new Agent(id, caller).ask('where', undefined, { timeout: 1000 }).then(() => true, () => false));
  return (await Promise.all(asked)).every(Boolean);
}

/** Poison and innocents live in one process, which the poison ends; the others come back elsewhere, the poison does not. */
async function poisons(t, how) {
  const { caller, lost, ended, host } = await start(t, `poison ${how}`, how);
  await host('n0');
  const innocents = Array.from({ length: 100 }, (_, n) => `i${n}`);
  await Promise.all(innocents.map((id) => caller.createWorker('Innocent', { id, ...RECOVERABLE })));
  await Promise.all(Array.from({ length: PROCESSES - 1 }, (_, n) => host(`n${n + 1}`)));
  const poison = await caller.createWorker('Poison', { id: 'p', ...RECOVERABLE });
  const calls = setInterval(() => poison.tell('hello').catch(() => {}), 20);
  t.after(() => clearInterval(calls));
  // Sent until it arrives: where the first process ends before it took the message, that may be when no other takes it.
  await poison.tell('end').catch(() => {});
  const told = await until('the poison is quarantined', async () => {
    const error = await rejection(poison.ask('where'));
    return error.code === 'DW_ERR_QUARANTINED' && error;
  }, PATIENCE_MS);
  assert.equal(told.delivered, 'no');
  assert.match(told.message, /"p" is quarantined: its process ended 3 times .* broker\.release\(id\)/);
  await until('all innocents are back', () => answers(caller, innocents), PATIENCE_MS);
  await until('it is told once', () => lost.length > 0);
  assert.equal(lost.length, 1);
  assert.equal(lost[0].id, 'p');
  assert.match(lost[0].reason, /quarantined/);
  assert.ok(ended.length <= PROCESSES / 2, `${ended} ended`);
  for (const call of [() => caller.createWorker('Poison', { id: 'p' }), () => caller.findWorker('p')]) {
    assert.equal((await rejection(call())).code, 'DW_ERR_QUARANTINED');
  }
  return { caller, ended, host, innocents };
}

describe('a worker that ends its process wherever it is recovered', () => {
  for (const how of ['throws', 'aborts', 'later', 'message']) {
    test(`takes at most half of six processes along, and no other worker (${how})`, async (t) => {
      const { caller, ended, host, innocents } = await poisons(t, how);
      if (how !== 'later') return;
      // Free, it may take as many processes along as before.
      for (const id of ['n6', 'n7', 'n8']) await host(id);
      assert.equal(await caller.release('p'), true);
      assert.equal(await caller.release('p'), false);
      const before = ended.length;
      await until('it has another try', () => ended.length > before, PATIENCE_MS);
      await until('all innocents are back once more', () => answers(caller, innocents), PATIENCE_MS);
    });
  }
});
