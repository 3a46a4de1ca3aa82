'use strict';

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { Agent, Broker } = require('..');
const { kCore } = require('../lib/base/symbols');
const { onEachCoordinator, memorySystem } = require('./helpers/systems');
const { echo, worker } = require('./helpers/classes');
const { called, rejection, sleep, until } = require('../support/wait');

const { INACTIVE, ACTIVATING, ACTIVE, DESTROYING, DESTROYED } = Broker.State;

test('the states are those of the original', () => {
  assert.deepEqual({ ...Broker.State }, { INACTIVE: 0, ACTIVATING: 1, ACTIVE: 2, DESTROYING: 3, DESTROYED: 4 });
});

onEachCoordinator((system) => {
  test('a broker goes through its states, starts again, and tells of each step', async (t) => {
    const broker = system(t).broker('b');
    const steps = [];
    broker.on('state', (from, to) => steps.push([from, to, broker.state]));
    assert.equal(broker.state, INACTIVE);
    await broker.start();
    await broker.destroy();
    await broker.start();
    await broker.destroy();
    const once = [[INACTIVE, ACTIVATING], [ACTIVATING, ACTIVE], [ACTIVE, DESTROYING], [DESTROYING, DESTROYED]];
    const again = [[DESTROYED, ACTIVATING], ...once.slice(1)];
    assert.deepEqual(steps, [...once, ...again].map(([from, to]) => [from, to, to]));
  });

  test('start() and destroy() reject with DW_ERR_STATE where they are not allowed', async (t) => {
    const broker = system(t).broker('b');
    const refused = async (call) => {
      for (const error of await Promise.all([rejection(call()), rejection(called((cb) => call(cb)))])) {
        assert.deepEqual([error.code, error.delivered], ['DW_ERR_STATE', 'no']);
      }
    };
    await broker.destroy();
    assert.equal(broker.state, INACTIVE);
    const started = broker.start();
    assert.equal(broker.state, ACTIVATING);
    await Promise.all([refused((cb) => broker.start(cb)), refused((cb) => broker.destroy(cb))]);
    await started;
    await refused((cb) => broker.start(cb));
    const destroyed = broker.destroy();
    assert.equal(broker.state, DESTROYING);
    await Promise.all([refused((cb) => broker.start(cb)), refused((cb) => broker.destroy({}, cb))]);
    await destroyed;
    await refused((cb) => broker.destroy(null, cb));
    await refused((cb) => broker.restart(cb));
    assert.equal(broker.state, DESTROYED);
  });

  test('every call of a broker works in callback form', async (t) => {
    const broker = system(t).broker('b');
    assert.equal(await called((cb) => broker.start(cb)), undefined);
    assert.equal(await called((cb) => broker.restart(cb)), undefined);
    assert.equal(await called((cb) => broker.destroy(cb)), undefined);
    await broker.start();
    assert.equal(await called((cb) => broker.destroy({ noRecover: true }, cb)), undefined);
  });

  test('calls through a broker that is not started reject with DW_ERR_STATE', async (t) => {
    const broker = system(t).broker('b', { classes: [echo()] });
    const calls = [
      () => broker.createWorker('Echo'),
      () => broker.findWorker('x'),
      () => new Agent('x', broker).ask('m'),
      () => new Agent('x', broker).tell('m'),
    ];
    for (const call of calls) assert.equal((await rejection(call())).code, 'DW_ERR_STATE');
    await broker.start();
    await broker.destroy();
    for (const call of calls) assert.equal((await rejection(call())).code, 'DW_ERR_STATE');
  });

  test('no call outlives the destruction of its broker', async (t) => {
    const W = worker('W', { onCreate: () => new Promise(() => {}), onAsk: () => new Promise(() => {}) });
    const Hanging = worker('Hanging', { onAsk: () => new Promise(() => {}) });
    const broker = await system(t).start('b', { classes: [W, Hanging], destroyTimeout: 100, rpcTimeout: 60000 });
    const agent = await broker.createWorker('Hanging');
    const calls = [rejection(broker.createWorker('W')), rejection(agent.ask('m')), rejection(broker.createWorker('W', { id: 'w' }))];
    await sleep(20);
    await broker.destroy();
    for (const error of await Promise.all(calls)) {
      assert.match(error.code, /^DW_ERR_/);
      assert.notEqual(error.code, 'DW_ERR_TIMEOUT');
    }
  });

  test('restart() ends the workers without recovery, and agents go on with what comes after', async (t) => {
    const causes = [];
    const W = worker('W', {
      onCreate: (info) => void causes.push(`create ${info.cause}`),
      onDestroy: (info) => void causes.push(`destroy ${info.cause}`),
      onAsk: () => 'here',
    });
    const broker = await system(t).start('b', { classes: [W] });
    const agent = await broker.createWorker('W', { id: 'w', attributes: { recoverable: true } });
    await broker.restart();
    assert.equal(broker.state, ACTIVE);
    assert.equal(broker.load, 0);
    assert.equal(await broker.findWorker('w'), null);
    await broker.createWorker('W', { id: 'w' });
    assert.equal(await agent.ask('x'), 'here');
    assert.deepEqual(causes, ['create 0', 'destroy 1', 'create 0']);
  });

  test('restartAll() restarts every broker of the namespace, and no other', async (t) => {
    const s = system(t);
    const brokers = [await s.start('a'), await s.start('b', { clustername: 'other' })];
    const stranger = await system(t).start('stranger');
    const steps = new Map([...brokers, stranger].map((broker) => [broker, []]));
    for (const [broker, seen] of steps) broker.on('state', (from, to) => seen.push(to));
    assert.equal(brokers[0].restartAll(), undefined);
    const all = [DESTROYING, DESTROYED, ACTIVATING, ACTIVE];
    await until('both have restarted', () => brokers.every((broker) => steps.get(broker).length === 4), 10000);
    for (const broker of brokers) assert.deepEqual(steps.get(broker), all);
    assert.deepEqual(steps.get(stranger), []);
    await sleep(100);
    for (const broker of brokers) assert.deepEqual(steps.get(broker), all);
  });

  test('a broker that is destroyed hands its recoverable workers over, and ends the others', async (t) => {
    const s = system(t);
    const causes = [];
    const W = worker('W', {
      onCreate(info) {
        causes.push([this.id, this.__priv.br.id, info.cause]);
      },
      onAsk() {
        return this.__priv.br.id;
      },
    });
    const a = await s.start('a', { classes: [W] });
    const agents = [
      await a.createWorker('W', { id: 'stays', attributes: { recoverable: true } }),
      await a.createWorker('W', { id: 'goes' }),
    ];
    const b = await s.start('b', { classes: [W] });
    await a.destroy();
    const found = await b.findWorker('stays');
    assert.equal(await found.ask('where'), 'b');
    assert.equal(await b.findWorker('goes'), null);
    assert.deepEqual(causes, [['stays', 'a', 0], ['goes', 'a', 0], ['stays', 'b', 1]]);
    assert.equal(agents[0].id, 'stays');
  });

  test('destroy({noRecover: true}) hands nothing over', async (t) => {
    const s = system(t);
    const a = await s.start('a', { classes: [echo()] });
    await a.createWorker('Echo', { id: 'w', attributes: { recoverable: true } });
    const b = await s.start('b', { classes: [echo()], retries: { duration: 200 } });
    await a.destroy({ noRecover: true });
    assert.equal(await b.findWorker('w'), null);
  });

  test('a broker with the id of a live one is refused', async (t) => {
    const s = system(t);
    await s.start('same');
    const second = s.broker('same');
    const error = await rejection(second.start());
    assert.equal(error.code, 'DW_ERR_BROKER_ID_IN_USE');
    assert.equal(second.state, INACTIVE);
  });

  test('the properties of a broker are what its options say', async (t) => {
    const broker = await system(t).start('b', { clustername: 'games', rpcTimeout: 1234 });
    assert.deepEqual([broker.id, broker.clustername, broker.rpcTimeout, broker.load], ['b', 'games', 1234, 0]);
    assert.deepEqual([broker.pub, broker.sub], [undefined, undefined]);
    assert.ok(Math.abs(broker.redisTime - Date.now()) < 1000, String(broker.redisTime));
    assert.throws(() => {
      broker.load = 5;
    }, TypeError);
  });

  test('log events name the broker, a level and a message, while somebody listens', async (t) => {
    const broker = system(t).broker('b');
    const logs = [];
    const listener = (event) => logs.push(event);
    broker.on('log', listener);
    await broker.start();
    assert.ok(logs.length > 0);
    for (const { id, level, message } of logs) {
      assert.equal(id, 'b');
      assert.ok(['debug', 'info', 'warn', 'error'].includes(level));
      assert.equal(typeof message, 'string');
    }
    broker.off('log', listener);
    const heard = logs.length;
    await broker.restart();
    assert.equal(logs.length, heard);
  });
});

describe('a native core that ends by itself', () => {
  const W = worker('W', { onAsk: () => new Promise(() => {}) });
  const stop = (broker) => broker[kCore].events.notice('stopped', 'a panic');

  test('leaves the broker DESTROYED, fails what is in flight, and does not end the process', async (t) => {
    const broker = await memorySystem(t).start('b', { classes: [W] });
    const logs = [];
    broker.on('log', ({ level, message }) => logs.push(`${level}: ${message}`));
    const asked = rejection((await broker.createWorker('W')).ask('m'));
    stop(broker);
    const error = await asked;
    assert.deepEqual([error.code, error.delivered], ['DW_ERR_STATE', 'unknown']);
    assert.deepEqual([broker.state, broker.load], [DESTROYED, 0]);
    assert.ok(logs.includes('error: Broker b stopped: a panic'), logs.join());
    await broker.start();
    assert.ok(await broker.createWorker('W'));
  });

  test("is an 'error' event where somebody listens", async (t) => {
    const broker = await memorySystem(t).start('b');
    const errors = [];
    broker.on('error', ({ message }) => errors.push(message));
    stop(broker);
    assert.deepEqual(errors, ['a panic']);
  });

  test('in the midst of start() or destroy() ends these', async (t) => {
    const starting = memorySystem(t).broker('b');
    const started = rejection(starting.start());
    stop(starting);
    assert.equal((await started).code, 'DW_ERR_STATE');
    assert.equal(starting.state, INACTIVE);
    const leaving = await memorySystem(t).start('b');
    const destroyed = rejection(leaving.destroy());
    stop(leaving);
    assert.equal((await destroyed).code, 'DW_ERR_STATE');
    assert.equal(leaving.state, DESTROYED);
  });
});

describe('quit()', () => {
  const client = () => {
    const calls = [];
    return {
      calls,
      isCluster: false,
      options: { host: '127.0.0.1', port: 1 },
      quit() {
        calls.push('quit');
        return Promise.reject(new Error('The client is closed'));
      },
    };
  };

  test('quits the client objects of the application, and swallows what they reject with', () => {
    const [pub, sub] = [client(), client()];
    const broker = new Broker('b', { redis: { pub, sub } });
    assert.deepEqual([broker.pub, broker.sub], [pub, sub]);
    broker.quit();
    assert.deepEqual([pub.calls, sub.calls], [['quit'], ['quit']]);
  });

  test('quits one object that serves as both once, also where it throws', () => {
    const both = client();
    both.quit = () => {
      both.calls.push('quit');
      throw new Error('closed');
    };
    new Broker('b', { redis: { pub: both, sub: both } }).quit();
    assert.deepEqual(both.calls, ['quit']);
  });

  test('on an ACTIVE broker logs a warning and leaves it at work', async (t) => {
    const broker = await memorySystem(t).start('b', { classes: [echo()] });
    const logs = [];
    broker.on('log', ({ level, message }) => logs.push(`${level}: ${message}`));
    broker.quit();
    assert.ok(logs.some((line) => /^warn: .*destroy\(\)/.test(line)), logs.join());
    assert.equal(await (await broker.createWorker('Echo')).ask('m', 1), 1);
  });

  test('may be called before the destruction has ended, and twice, and a start may follow', async (t) => {
    const broker = await memorySystem(t).start('b', { classes: [echo()] });
    const destroyed = broker.destroy();
    broker.quit();
    await destroyed;
    broker.quit();
    assert.equal(broker.state, Broker.State.DESTROYED);
    await broker.start();
    assert.equal(await (await broker.createWorker('Echo')).ask('m', 1), 1);
  });
});
