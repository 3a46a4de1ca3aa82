'use strict';

const assert = require('node:assert/strict');
const net = require('node:net');
const { once } = require('node:events');
const { test } = require('node:test');
const { Agent } = require('..');
const { atEnd } = require('./helpers/cleanup');
const { freePort } = require('../support/ports');
const { memorySystem, onEachCoordinator, onRedis } = require('./helpers/systems');
const { worker } = require('./helpers/classes');
const { rejection, sleep, until } = require('../support/wait');

/** Tells where it lives. */
function where(made = () => {}) {
  return worker(
    'Where',
    {
      onAsk() {
        return this.__priv.br.id;
      },
    },
    made
  );
}

/** A port that takes connections and never says anything. */
async function silentPort(t) {
  const server = net.createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1');
  await once(server, 'listening');
  atEnd(t, () => server.close());
  return server.address().port;
}

function warningsOf(broker) {
  const warnings = [];
  broker.on('log', ({ level, message }) => level === 'warn' && warnings.push(message));
  return warnings;
}

onRedis((system) => {
  test('brokers that cannot be reached do not make createWorker fail, are avoided, and are notified', async (t) => {
    const s = system(t);
    const options = [
      { advertise: { host: '127.0.0.1', port: await freePort() } },
      { advertise: { host: '127.0.0.1', port: await freePort() } },
      { advertise: { host: '127.0.0.1', port: await silentPort(t) } },
      { advertise: { host: '127.0.0.1', port: await silentPort(t) } },
      { secret: 'b'.repeat(20) },
    ];
    const local = { secret: 'a'.repeat(20), localSockets: false };
    const bad = [];
    for (const [n, option] of options.entries()) bad.push(s.broker(`bad${n}`, { ...local, ...option, classes: [where()] }));
    const heard = bad.map(warningsOf);
    for (const broker of bad) await broker.start();
    const good = await s.start('good', { ...local, classes: [where()] });
    const creator = s.broker('creator', { ...local, clustername: 'elsewhere' });
    const warnings = warningsOf(creator);
    creator.registerWorker(where(), { clustername: 'main' });
    await creator.start();
    // One worker on the good one, so that all the others rank before it.
    await good.createWorker('Where');
    await until('it is loaded', async () => good.load >= 1);
    for (let n = 0; n < 10; n += 1) {
      assert.equal(await (await creator.createWorker('Where')).ask('where'), 'good');
    }
    assert.equal(await (await creator.createWorker('Where', { id: 'mine' })).ask('where'), 'good');
    const told = (text) => /and now places new workers on other brokers/.test(text);
    await until('each of them is told', () => heard.every((messages) => messages.some(told)), 15000);
    assert.ok(warnings.some((text) => /Placing new workers on other brokers/.test(text)), warnings.join('\n'));
  });

  test('a create that fails as not delivered leaves no reservation behind', async (t) => {
    const s = system(t);
    let made = 0;
    const option = { localSockets: false, rpcTimeout: 500, retries: { duration: 300 } };
    const bad = await s.start('bad', { ...option, secret: 'b'.repeat(20), classes: [where(() => (made += 1))] });
    const creator = s.broker('creator', { ...option, clustername: 'elsewhere', secret: 'a'.repeat(20) });
    creator.registerWorker(where(), { clustername: 'main' });
    await creator.start();
    const error = await rejection(creator.createWorker('Where', { id: 'mine' }));
    assert.deepEqual([error.code, error.delivered], ['DW_ERR_UNAUTHORIZED', 'no']);
    assert.equal(await creator.findWorker('mine'), null);
    // The owner looks after what it should hold and does not: nothing is there.
    assert.equal(await bad.findWorker('mine'), null);
    assert.equal(made, 0);
  });
});

onEachCoordinator((system) => {
  test('a create whose caller has given up is not begun', async (t) => {
    const s = system(t);
    let made = 0;
    const option = { rpcTimeout: 100, retries: { duration: 50 } };
    const broker = await s.start('b', { ...option, classes: [where(() => (made += 1))] });
    const creating = rejection(broker.createWorker('Where', { id: 'late' }));
    // The core reserves the worker while JavaScript is blocked past the caller's deadline.
    const blocked = Date.now() + 400;
    while (Date.now() < blocked);
    const error = await creating;
    assert.equal(error.code, 'DW_ERR_TIMEOUT');
    await until('its id is free', async () => (await broker.findWorker('late')) === null);
    assert.equal(made, 0);
    assert.equal(await (await broker.createWorker('Where', { id: 'late' })).ask('where'), 'b');
  });

  test('creators of an id that is leaving wait for their turn', async (t) => {
    const s = system(t);
    let made = 0;
    let leave;
    const left = new Promise((resolve) => (leave = resolve));
    const Slow = worker(
      'Slow',
      {
        onAsk(method) {
          if (method === 'go') this.destroy();
          return this.__priv.br.id;
        },
        onDestroy: () => (made === 1 ? left : undefined),
      },
      () => (made += 1)
    );
    const option = { rpcTimeout: 10000, retries: { duration: 100 }, classes: [Slow] };
    const [a, b] = [await s.start('a', option), await s.start('b', option)];
    const first = await a.createWorker('Slow', { id: 'one' });
    await first.ask('go');
    const created = Promise.all(Array.from({ length: 20 }, (_, n) => (n % 2 ? a : b).createWorker('Slow', { id: 'one' })));
    await sleep(300); // Longer than a route is looked for.
    leave();
    const agents = await created;
    assert.equal(made, 2);
    assert.equal(new Set(await Promise.all(agents.map((agent) => agent.ask('where')))).size, 1);
  });

  test('a creator of an id that goes on leaving rejects with DW_ERR_TIMEOUT', async (t) => {
    const s = system(t);
    const Stays = worker('Stays', {
      onAsk() {
        this.destroy();
      },
      onDestroy: () => new Promise(() => {}),
    });
    const broker = await s.start('b', { rpcTimeout: 200, destroyTimeout: 2000, classes: [Stays] });
    await (await broker.createWorker('Stays', { id: 'one' })).ask('go');
    const error = await rejection(broker.createWorker('Stays', { id: 'one' }));
    assert.equal(error.code, 'DW_ERR_TIMEOUT');
  });
});

test('a message that waits for a hand-over is handled as soon as the worker is active elsewhere', async (t) => {
  const s = memorySystem(t);
  let active;
  let handled;
  const Moves = worker('Moves', {
    onCreate() {
      active = performance.now();
    },
    onAsk(method) {
      handled = performance.now();
      return method;
    },
    onDestroy: () => sleep(400),
  });
  const option = { rpcTimeout: 10000, retries: { initialInterval: 2000, maxInterval: 5000, duration: 10000 }, classes: [Moves] };
  const [a, b] = [await s.start('a', option), await s.start('b', option)];
  await a.createWorker('Moves', { id: 'm', attributes: { recoverable: true } });
  const agent = new Agent('m', b);
  await agent.ask('warm');
  const home = a.load > 0 ? a : b;
  const other = new Agent('m', home === a ? b : a);
  await other.ask('warm');
  const leaving = home.destroy();
  await sleep(50);
  assert.equal(await other.ask('x'), 'x');
  // A backoff would last 2 s or more.
  assert.ok(handled - active < 1000, `handled ${handled - active} ms after it was active`);
  await leaving;
});
