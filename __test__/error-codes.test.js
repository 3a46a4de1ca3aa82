'use strict';

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { after, before, describe, test } = require('node:test');
const { Agent, Broker } = require('..');
const { CODES } = require('../lib/base/errors');
const { kCore } = require('../lib/base/symbols');
const { BlackHole } = require('./helpers/black-hole');
const { worker, echo } = require('./helpers/classes');
const { freePort } = require('../support/ports');
const { startRedis } = require('../support/redis-server');
const { memorySystem } = require('./helpers/systems');
const { rejection, sleep } = require('../support/wait');

const Hanging = () => worker('Hanging', { onAsk: () => new Promise(() => {}) });
const Selfish = () =>
  Object.assign(worker('Selfish', {
    async onAsk() {
      const { code, delivered, message } = await rejection(new Agent(this.id, this.__priv.br).ask('x'));
      return { code, delivered, message };
    },
  }), { concurrency: 'serial' });

/**
 * How each code comes about: resolves to the error. `start(id, option)` starts a broker of the test's own namespace;
 * `redis` is its server.
 */
const PROVOCATIONS = {
  async DW_ERR_REJECTED({ start }) {
    const broker = await start('b', { classes: [worker('W', { onAsk: () => Promise.reject(new Error('the handler says no')) })] });
    return rejection((await broker.createWorker('W')).ask('x'));
  },
  async DW_ERR_TIMEOUT({ start }) {
    const broker = await start('b', { classes: [Hanging()] });
    return rejection((await broker.createWorker('Hanging')).ask('x', null, { timeout: 20 }));
  },
  async DW_ERR_PEER_LOST({ start }) {
    let running;
    const started = new Promise((resolve) => (running = resolve));
    const home = await start('home', { classes: [worker('W', { onAsk: () => (running(), new Promise(() => {})) })] });
    const away = await start('away', { clustername: 'elsewhere' });
    const lost = rejection(new Agent((await home.createWorker('W')).id, away).ask('x', null, { timeout: 20000 }));
    await started;
    home[kCore].crash();
    return lost;
  },
  async DW_ERR_ABORTED({ start }) {
    const broker = await start('b', { classes: [Hanging()] });
    const agent = await broker.createWorker('Hanging');
    return rejection(agent.ask('x', null, { signal: AbortSignal.timeout(20) }));
  },
  async DW_ERR_WORKER_NOT_FOUND({ start }) {
    return rejection(new Agent('nobody', await start('b')).ask('x'));
  },
  async DW_ERR_NO_BROKER({ start }) {
    const broker = await start('b');
    broker.registerWorker(echo(), { clustername: 'empty' });
    return rejection(broker.createWorker('Echo'));
  },
  async DW_ERR_CLASS_UNKNOWN({ start }) {
    return rejection((await start('b')).createWorker('Unknown'));
  },
  async DW_ERR_UNREACHABLE({ start }) {
    const nowhere = { host: '127.0.0.1', port: await freePort() };
    const home = await start('home', { classes: [echo()], advertise: nowhere, localSockets: false });
    const { id } = await home.createWorker('Echo');
    const away = await start('away', { clustername: 'elsewhere', rpcTimeout: 300 });
    return rejection(new Agent(id, away).ask('x'));
  },
  async DW_ERR_CLASS_MISMATCH({ start }) {
    const broker = await start('b', { classes: [echo('User'), echo('Cart')] });
    await broker.createWorker('User', { id: 'u' });
    return rejection(broker.createWorker('Cart', { id: 'u' }));
  },
  async DW_ERR_OVERLOADED({ start }) {
    const broker = await start('b', { classes: [Object.assign(Hanging(), { concurrency: 'serial', maxQueue: 1 })] });
    const agent = await broker.createWorker('Hanging');
    const asks = [1, 2, 3].map(() => rejection(agent.ask('x', null, { timeout: 500 })));
    return Promise.race(asks);
  },
  async DW_ERR_TOO_LARGE({ start }) {
    const broker = await start('b', { classes: [echo()], maxMessageBytes: 1024 });
    return rejection((await broker.createWorker('Echo')).ask('x', 'x'.repeat(2000)));
  },
  async DW_ERR_STATE({ broker }) {
    return rejection(broker('b').findWorker('x'));
  },
  async DW_ERR_CONFIG({ start }) {
    return rejection(new Agent('x', await start('b')).ask('m', 10n));
  },
  async DW_ERR_REDIS({ broker }) {
    return rejection(broker('b', { redis: `redis://127.0.0.1:${await freePort()}` }).start());
  },
  async DW_ERR_BROKER_ID_IN_USE({ start }) {
    await start('same');
    return rejection(start('same'));
  },
  async DW_ERR_SCHEMA({ broker, redis, ns }) {
    await redis.command(`HSET {${ns}}:meta schema 999`);
    return rejection(broker('b').start());
  },
  async DW_ERR_CYCLE({ start }) {
    const broker = await start('b', { classes: [Selfish()] });
    const { code, delivered, message } = await (await broker.createWorker('Selfish')).ask('x');
    return Object.assign(new Error(message), { code, delivered });
  },
  async DW_ERR_SUSPENDED({ start, t, redis }) {
    const way = await BlackHole.start(t, redis.port);
    const broker = await start('b', { classes: [echo()], redis: `redis://127.0.0.1:${way.port}`, lease: { ttl: 2000, renew: 200 } });
    const agent = await broker.createWorker('Echo');
    const suspended = once(broker, 'suspended');
    way.swallow();
    await suspended;
    const error = await rejection(agent.ask('x', null, { timeout: 500 }));
    way.heal();
    return error;
  },
  async DW_ERR_UNAUTHORIZED({ start }) {
    const home = await start('home', { classes: [echo()], secret: 'the secret of the one' });
    const away = await start('away', { clustername: 'elsewhere', secret: 'the secret of the other' });
    const { id } = await home.createWorker('Echo');
    return rejection(new Agent(id, away).ask('x', null, { timeout: 1000 }));
  },
  async DW_ERR_QUARANTINED({ start }) {
    const away = await start('away', { clustername: 'elsewhere' });
    away.registerWorker(echo(), { clustername: 'main' });
    let agent = null;
    for (const id of ['first', 'second', 'third']) {
      const home = await start(id, { classes: [echo()] });
      if (agent === null) agent = await away.createWorker('Echo', { attributes: { recoverable: true } });
      assert.equal(await agent.ask('echo', 1, { timeout: 20_000 }), 1);
      home[kCore].crash();
    }
    return rejection(agent.ask('echo', 1, { timeout: 20_000 }));
  },
  async DW_ERR_ACTIVATION({ start }) {
    const broker = await start('b', { classes: [worker('Bad', { onCreate: () => Promise.reject(new Error('no')) })] });
    return rejection(broker.get('Bad', 'x').ask('m'));
  },
  async DW_ERR_DATA_FORMAT({ start }) {
    const versioned = (version) => Object.assign(worker('Dated', { onAsk: () => 1 }), { data: { version, initial: () => 1 } });
    const first = await start('first', { classes: [versioned(2)] });
    await first.get('Dated', 'x').ask('m');
    await first.destroy();
    const second = await start('second', { classes: [versioned(1)] });
    return rejection(second.get('Dated', 'x').ask('m'));
  },
  async DW_ERR_NOT_STORED({ start }) {
    const Large = worker('Large', {
      onAsk() {
        this.data = 'x'.repeat(100);
      },
    });
    Large.data = { version: 1, initial: () => 1, maxBytes: 64 };
    const broker = await start('b', { classes: [Large] });
    return rejection(broker.get('Large', 'x').ask('m'));
  },
  async DW_ERR_ADDRESS_IN_USE({ broker, redis }) {
    const error = await rejection(broker('b', { listen: { port: redis.port } }).start());
    assert.match(error.message, /127\.0\.0\.1:\d+ \(option\.listen\.port\)/);
    return error;
  },
};

describe('each code of the table comes about', () => {
  let redis;
  let namespaces = 0;
  before(async () => {
    redis = await startRedis();
  });
  after(() => redis.stop());

  test('none is left out', () => {
    assert.deepEqual(Object.keys(PROVOCATIONS).sort(), Object.keys(CODES).sort());
  });

  for (const [code, provoke] of Object.entries(PROVOCATIONS)) {
    const expected = CODES[code];
    test(`${code}, delivered: ${expected}`, async (t) => {
      const ns = `codes${(namespaces += 1)}`;
      const brokers = [];
      const broker = (id, { classes = [], ...option } = {}) => {
        const made = new Broker(id, { redis: redis.url, ns, ...option });
        for (const WorkerClass of classes) made.registerWorker(WorkerClass);
        brokers.push(made);
        return made;
      };
      const start = async (id, option) => {
        const made = broker(id, option);
        await made.start();
        return made;
      };
      t.after(async () => {
        for (const made of brokers) {
          if (made.state === Broker.State.ACTIVE) await made.destroy({ noRecover: true });
          made.quit();
        }
      });
      const error = await provoke({ start, broker, redis, ns, t });
      assert.ok(error instanceof Error);
      assert.deepEqual([error.code, error.delivered], [code, expected], error.message);
      assert.ok(error.message.length > 10, error.message);
    });
  }
});

describe('retries look at the outcome of the transport alone', () => {
  for (const code of ['DW_ERR_UNREACHABLE', 'DW_ERR_WORKER_NOT_FOUND', 'DW_ERR_OVERLOADED', 'DW_ERR_SUSPENDED']) {
    test(`a handler that rejects with ${code}, not delivered, runs once`, async (t) => {
      let runs = 0;
      const W = worker('W', {
        onAsk() {
          runs += 1;
          return Promise.reject(Object.assign(new Error('inner'), { code, delivered: 'no' }));
        },
      });
      const system = memorySystem(t);
      const home = await system.start('home', { classes: [W] });
      const away = await system.start('away', { clustername: 'elsewhere' });
      const { id } = await home.createWorker('W');
      for (const broker of [home, away]) {
        const error = await rejection(new Agent(id, broker).ask('x'));
        assert.deepEqual([error.code, error.delivered], ['DW_ERR_REJECTED', 'yes']);
        assert.deepEqual([error.cause.code, error.cause.delivered, error.cause.message], [code, 'no', 'inner']);
      }
      await sleep(100);
      assert.equal(runs, 2);
    });
  }
});

describe('whatever a handler does, its caller gets a code by its deadline', () => {
  const circle = {};
  circle.self = circle;
  const HANDLERS = {
    'never settles': [() => new Promise(() => {}), 'DW_ERR_TIMEOUT', 'unknown'],
    'never calls back': [(cb) => void cb, 'DW_ERR_TIMEOUT', 'unknown'],
    throws: [() => { throw new RangeError('thrown'); }, 'DW_ERR_REJECTED', 'yes'],
    'throws undefined': [() => { throw undefined; }, 'DW_ERR_REJECTED', 'yes'],
    'rejects with a string': [() => Promise.reject('text'), 'DW_ERR_REJECTED', 'yes'],
    'rejects with null': [() => Promise.reject(null), 'DW_ERR_REJECTED', 'yes'],
    'rejects with a symbol': [() => Promise.reject(Symbol('s')), 'DW_ERR_REJECTED', 'yes'],
    'rejects with what throws when it is read': [
      () => Promise.reject({ get message() { throw new Error('getter'); } }), 'DW_ERR_REJECTED', 'yes',
    ],
    'rejects with 20 MiB': [() => Promise.reject(new Error('x'.repeat(20 * 1024 * 1024))), 'DW_ERR_REJECTED', 'yes'],
    'gives a BigInt': [() => 10n, 'DW_ERR_REJECTED', 'yes'],
    'gives a cycle': [() => circle, 'DW_ERR_REJECTED', 'yes'],
    'gives 20 MiB': [() => 'x'.repeat(20 * 1024 * 1024), 'DW_ERR_TOO_LARGE', 'yes'],
    'gives what throws when it is written': [() => ({ toJSON() { throw new Error('toJSON'); } }), 'DW_ERR_REJECTED', 'yes'],
  };
  for (const concurrency of ['parallel', 'serial']) {
    for (const [what, [handler, code, delivered]] of Object.entries(HANDLERS)) {
      test(`a ${concurrency} worker's handler ${what}`, async (t) => {
        const W = worker('W', {
          onAsk(method, data, cb) {
            return method === 'odd' ? handler(cb) : cb(null, 'even');
          },
        });
        const system = memorySystem(t);
        const home = await system.start('home', { classes: [Object.assign(W, { concurrency })] });
        const away = await system.start('away', { clustername: 'elsewhere' });
        // Before 20 MiB keep the event loop busy: a broker that stands still gets no new workers.
        const ids = [await home.createWorker('W'), await home.createWorker('W')].map(({ id }) => id);
        for (const broker of [home, away]) {
          const agent = new Agent(ids.pop(), broker);
          const timeout = code === 'DW_ERR_TIMEOUT' ? 100 : 20000;
          const error = await rejection(agent.ask('odd', null, { timeout }));
          assert.ok(error instanceof Error);
          assert.deepEqual([error.code, error.delivered], [code, delivered], error.message.slice(0, 200));
          if (concurrency === 'serial' && code === 'DW_ERR_TIMEOUT') continue;
          assert.equal(await agent.ask('even'), 'even');
        }
      });
    }
  }
});
