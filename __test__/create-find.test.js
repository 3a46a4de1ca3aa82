'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Agent, Worker } = require('..');
const { onEachCoordinator } = require('./helpers/systems');
const { echo, worker } = require('./helpers/classes');
const { called, rejection, sleep, until } = require('../support/wait');

onEachCoordinator((system) => {
  test('ids count from 1 for each class, over all brokers', async (t) => {
    const s = system(t);
    const [Chat, Game] = [echo('Chat'), echo('Game')];
    const a = await s.start('a', { classes: [Chat, Game] });
    const b = await s.start('b', { classes: [Chat, Game] });
    const ids = [];
    for (const [broker, name] of [[a, 'Chat'], [b, 'Chat'], [a, 'Game'], [b, 'Chat']]) ids.push((await broker.createWorker(name)).id);
    assert.deepEqual(ids, ['Chat#1', 'Chat#2', 'Game#1', 'Chat#3']);
  });

  test('an id of the application is taken as it is', async (t) => {
    const broker = await system(t).start('b', { classes: [echo()] });
    for (const id of ['my-worker', 'Zoë 🦄 部屋', 'with "quotes" \\ and {braces}', '\u0000', 'x'.repeat(512)]) {
      const agent = await broker.createWorker('Echo', { id });
      assert.equal(agent.id, id);
      assert.deepEqual(await agent.ask('m', { id }), { id });
      assert.equal((await broker.findWorker(id)).id, id);
    }
  });

  test('an absent id, null among them, is counted', async (t) => {
    const broker = await system(t).start('b', { classes: [echo()] });
    assert.equal((await broker.createWorker('Echo', { id: null })).id, 'Echo#1');
    assert.equal((await broker.createWorker('Echo', { id: undefined, attributes: null })).id, 'Echo#2');
    assert.equal((await broker.createWorker('Echo', null)).id, 'Echo#3');
  });

  test('a static worker has the class name as its id and is one, however often it is created', async (t) => {
    const s = system(t);
    let made = 0;
    const One = worker('One', {
      onCreate() {
        made += 1;
        assert.equal(this.attributes.static, true);
        return sleep(20);
      },
    });
    const a = await s.start('a', { classes: [One] });
    const b = await s.start('b', { classes: [One] });
    const agents = await Promise.all([a, b, a, b].map((broker) => broker.createWorker('One', { static: true })));
    assert.deepEqual(agents.map(({ id }) => id), ['One', 'One', 'One', 'One']);
    assert.equal(made, 1);
  });

  test('a live worker of the id is returned, and not created again', async (t) => {
    let made = 0;
    const W = worker('W', { onAsk: (method, data) => data }, () => (made += 1));
    const broker = await system(t).start('b', { classes: [W] });
    await broker.createWorker('W', { id: 'same', attributes: { n: 1 } });
    const again = await broker.createWorker('W', { id: 'same', attributes: { n: 2 } });
    assert.equal(await again.ask('m', 'hello'), 'hello');
    assert.equal(made, 1);
  });

  test('createWorker and findWorker answer by callback too', async (t) => {
    const broker = await system(t).start('b', { classes: [echo()] });
    const first = await called((cb) => broker.createWorker('Echo', cb));
    const second = await called((cb) => broker.createWorker('Echo', { id: 'x' }, cb));
    assert.deepEqual([first.id, second.id], ['Echo#1', 'x']);
    assert.equal((await called((cb) => broker.findWorker('x', cb))).id, 'x');
    assert.equal(await called((cb) => broker.findWorker('y', cb)), null);
    assert.equal((await rejection(called((cb) => broker.createWorker('None', cb)))).code, 'DW_ERR_CLASS_UNKNOWN');
  });

  test('findWorker gives null for an id that no worker has', async (t) => {
    const broker = await system(t).start('b');
    assert.equal(await broker.findWorker('nobody'), null);
  });

  test('a class that is not registered here is refused, for creating and for finding', async (t) => {
    const s = system(t);
    const a = await s.start('a', { classes: [echo()] });
    const b = await s.start('b');
    for (const error of [
      await rejection(b.createWorker('Echo')),
      await rejection(a.createWorker('constructor')),
      await rejection(b.findWorker((await a.createWorker('Echo')).id)),
    ]) {
      assert.deepEqual([error.code, error.delivered], ['DW_ERR_CLASS_UNKNOWN', 'no']);
      assert.match(error.message, /is not registered at broker [ab]/);
    }
  });

  test('a cluster without brokers is named in the error', async (t) => {
    const broker = await system(t).start('b', { retries: { duration: 100 } });
    broker.registerWorker(echo(), { clustername: 'elsewhere' });
    const error = await rejection(broker.createWorker('Echo'));
    assert.deepEqual([error.code, error.delivered], ['DW_ERR_NO_BROKER', 'no']);
    assert.match(error.message, /elsewhere/);
  });

  test('a worker runs in the cluster of its class', async (t) => {
    const s = system(t);
    const brokers = {};
    const classes = ['c1', 'c2', 'c3'].map((cluster) => {
      const W = worker(`In${cluster}`, {
        onAsk() {
          return this.__priv.br.id;
        },
      });
      W.clustername = cluster;
      return W;
    });
    for (const cluster of ['c1', 'c2', 'c3']) brokers[cluster] = await s.start(`at ${cluster}`, { clustername: cluster, classes });
    for (const from of Object.values(brokers)) {
      for (const cluster of ['c1', 'c2', 'c3']) {
        assert.equal(await (await from.createWorker(`In${cluster}`)).ask('where'), `at ${cluster}`);
      }
    }
  });

  test('a worker goes only where its class is hosted', async (t) => {
    const s = system(t);
    const Here = worker('Here', {
      onAsk() {
        return this.__priv.br.id;
      },
    });
    const a = await s.start('a', { classes: [Here] });
    await s.start('b', { classes: [echo()] });
    for (let n = 0; n < 4; n += 1) assert.equal(await (await a.createWorker('Here')).ask('where'), 'a');
  });

  test('a class that is registered after the start is hosted too', async (t) => {
    const broker = await system(t).start('b');
    broker.registerWorker(echo());
    assert.equal(await (await broker.createWorker('Echo')).ask('m', 1), 1);
  });

  test('workers spread over the idle brokers: 100 at once over four are 25 each, ± 3', async (t) => {
    const s = system(t);
    const brokers = [];
    for (const id of ['a', 'b', 'c', 'd']) brokers.push(await s.start(id, { classes: [echo()] }));
    await Promise.all(Array.from({ length: 100 }, () => brokers[0].createWorker('Echo')));
    const loads = brokers.map(({ load }) => load);
    assert.equal(loads.reduce((sum, load) => sum + load), 100);
    for (const load of loads) assert.ok(Math.abs(load - 25) <= 3, loads.join());
  });

  test('the least loaded broker gets the next worker', async (t) => {
    const s = system(t);
    const Heavy = worker('Heavy', {
      onCreate() {
        this.load = 50;
      },
      onAsk() {
        return this.__priv.br.id;
      },
    });
    const [a, b] = [await s.start('a', { classes: [Heavy, echo()] }), await s.start('b', { classes: [Heavy, echo()] })];
    const loaded = (await (await a.createWorker('Heavy')).ask('where')) === 'a' ? a : b;
    assert.equal(loaded.load, 50);
    await until('the others go where the load is less', async () => {
      const before = loaded.load;
      for (let n = 0; n < 4; n += 1) await b.createWorker('Echo');
      return loaded.load === before;
    });
  });

  test('an onCreate that is slow: the creator gets DW_ERR_TIMEOUT, and a retry finds the same worker', async (t) => {
    let made = 0;
    const Slow = worker('Slow', { onCreate: () => sleep(400), onAsk: () => 'here' }, () => (made += 1));
    const broker = await system(t).start('b', { classes: [Slow], rpcTimeout: 100 });
    const error = await rejection(broker.createWorker('Slow', { id: 'slow' }));
    assert.deepEqual([error.code, error.delivered], ['DW_ERR_TIMEOUT', 'unknown']);
    const agent = await until('it is made', () => broker.createWorker('Slow', { id: 'slow' }).catch(() => null));
    assert.equal(await agent.ask('x'), 'here');
    assert.equal(made, 1);
  });

  test('the agent of a class is used', async (t) => {
    class Phone extends Agent {
      call() {
        return this.ask('m', 'ring');
      }
    }
    function Plain() {
      Agent.apply(this, arguments);
    }
    Object.setPrototypeOf(Plain.prototype, Agent.prototype);
    const [Modern, Old, Base] = [echo('Modern'), echo('Old'), echo('Base')];
    Object.assign(Modern, { agent: Phone });
    Object.assign(Old, { agent: Plain });
    Object.assign(Base, { agent: Agent });
    const broker = await system(t).start('b', { classes: [Modern, Old, Base] });
    const agent = await broker.createWorker('Modern');
    assert.ok(agent instanceof Phone);
    assert.equal(await agent.call(), 'ring');
    assert.ok((await broker.findWorker(agent.id)) instanceof Phone);
    assert.equal(await (await broker.createWorker('Old')).ask('m', 1), 1);
    assert.equal((await broker.createWorker('Base')).constructor, Agent);
  });

  test('a registry of the application is used, and what only it has is hosted', async (t) => {
    const s = system(t);
    const classes = new Map([['Preset', echo('Whatever')]]);
    const broker = s.broker('b');
    broker.setWorkerRegistry({ add: (name, ctor) => classes.set(name, ctor), get: (name) => classes.get(name) });
    broker.registerWorker(echo());
    await broker.start();
    assert.ok(classes.get('Echo').prototype instanceof Worker);
    assert.equal(await (await broker.createWorker('Echo')).ask('m', 1), 1);
    assert.equal(await (await broker.createWorker('Preset')).ask('m', 2), 2);
  });

  test('a registry that throws is an unknown class', async (t) => {
    const s = system(t);
    const broker = s.broker('b');
    broker.setWorkerRegistry({
      add() {},
      get() {
        throw new Error('broken registry');
      },
    });
    await broker.start();
    const error = await rejection(broker.createWorker('Any'));
    assert.deepEqual([error.code, error.cause.message], ['DW_ERR_CLASS_UNKNOWN', 'broken registry']);
  });
});
