'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Worker } = require('..');
const { kCore } = require('../lib/base/symbols');
const { onEachCoordinator, onRedis } = require('./helpers/systems');
const { worker } = require('./helpers/classes');
const { rejection, sleep, until } = require('../support/wait');

const { IDLE, SELF } = Worker.DestroyCause;
const { NEW, WAKE } = Worker.CreateCause;

/** A class that leaves memory after `idle`, and a log of what its instances did. */
function sleeper(idle = 40, { onDestroy, ...handlers } = {}) {
  const log = [];
  const Sleeper = worker('Sleeper', {
    onCreate(info) {
      log.push(`create ${info.cause}`);
      this.load = 3;
      this.seen = [];
    },
    onAsk(method, data) {
      if (method === 'wait') return sleep(data);
      if (method === 'hold') this.awake = this.keepAwake();
      if (method === 'let go') this.awake.release();
      if (data !== undefined) this.seen.push(data);
      return { seen: this.seen, attributes: this.attributes, epoch: this.epoch };
    },
    onTell(method, data) {
      this.seen.push(data);
    },
    async onDestroy(info) {
      if (onDestroy !== undefined) await onDestroy.call(this, info);
      log.push(`destroy ${info.cause}`);
    },
    ...handlers,
  });
  Sleeper.idle = idle;
  const asleep = (times = 1) => until('it sleeps', () => log.filter((line) => line === `destroy ${IDLE}`).length >= times);
  return { Sleeper, log, asleep };
}

/** The ids of the workers in memory of a broker. */
function residents(broker) {
  return [...broker[kCore].workers.records.values()].map(({ id }) => id);
}

onEachCoordinator((system) => {
  test('an idle worker leaves memory, and a message of any agent wakes it as it was', async (t) => {
    const { Sleeper, log, asleep } = sleeper();
    const s = system(t);
    const a = await s.start('a', { classes: [Sleeper] });
    const b = await s.start('b');
    const agent = b.get('Sleeper', 'x', { clustername: 'main', attributes: { list: [], digits: 0.1 } });
    const first = await agent.ask('m', 1);
    await asleep();
    await until('the registry knows', async () => (await a.inspect('Sleeper/x')).state === 'asleep');
    assert.deepEqual([residents(a), a.load], [[], 0]);
    const found = await a.findWorker('Sleeper/x');
    assert.deepEqual(log, [`create ${NEW}`, `destroy ${IDLE}`], 'looking for it wakes nobody');
    const woken = await found.ask('m', 2);
    assert.ok(BigInt(woken.epoch) > BigInt(first.epoch));
    assert.deepEqual([woken.seen, woken.attributes], [[2], { list: [], digits: 0.1, static: false }]);
    await asleep(2);
    await agent.tell('m', 3);
    assert.deepEqual((await agent.ask('m', 4)).seen.slice(-2), [3, 4]);
    assert.deepEqual(log.slice(0, 4), [`create ${NEW}`, `destroy ${IDLE}`, `create ${WAKE}`, `destroy ${IDLE}`]);
  });

  test('a worker that createWorker made sleeps too, and createWorker finds it', async (t) => {
    const { Sleeper, asleep, log } = sleeper();
    const s = system(t);
    const a = await s.start('a', { classes: [Sleeper] });
    const made = await a.createWorker('Sleeper', { id: 'x', attributes: { n: [] } });
    await asleep();
    const found = await a.createWorker('Sleeper', { id: 'x', attributes: { n: 2 } });
    assert.deepEqual(log, [`create ${NEW}`, `destroy ${IDLE}`]);
    assert.deepEqual((await found.ask('m', 1)).attributes, { n: [], static: false });
    await asleep(2);
    // The end of the broker that ran it last is nothing to a worker that sleeps.
    await until('the registry knows', async () => (await a.inspect('x')).state === 'asleep');
    const b = await s.start('b', { classes: [Sleeper] });
    await a.destroy({ noRecover: true });
    assert.deepEqual((await (await b.findWorker('x')).ask('m', 2)).seen, [2]);
    await made.destroy().catch(() => {});
    await (await b.findWorker('x')).destroy();
    assert.equal(await b.findWorker('x'), null);
  });

  test('what is sent while it falls asleep wakes it again, in order', async (t) => {
    let release;
    const { Sleeper, log } = sleeper(40, {
      onDestroy: () => release === undefined && new Promise((resolve) => (release = resolve)),
    });
    const s = system(t);
    const a = await s.start('a', { classes: [Sleeper] });
    const b = await s.start('b');
    const agents = [a.get(Sleeper, 'x'), b.get('Sleeper', 'x', { clustername: 'main' })];
    for (const [sender, agent] of agents.entries()) await agent.ask('m', [sender, 0]);
    await until('it falls asleep', () => release !== undefined);
    const sent = [];
    for (let n = 1; n <= 12; n += 1) {
      for (const [sender, agent] of agents.entries()) sent.push(n % 3 === 0 ? agent.ask('m', [sender, n]) : agent.tell('m', [sender, n]));
    }
    await sleep(20);
    assert.deepEqual(log, [`create ${NEW}`], 'no new instance runs beside the onDestroy of the old one');
    release();
    await Promise.all(sent);
    const { seen } = await agents[0].ask('m');
    for (const sender of [0, 1]) {
      assert.deepEqual(seen.filter(([by]) => by === sender).map(([, n]) => n), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    }
    assert.deepEqual(log.slice(0, 3), [`create ${NEW}`, `destroy ${IDLE}`, `create ${WAKE}`]);
  });

  test('a running handler and keepAwake() keep it in memory', async (t) => {
    const { Sleeper, log, asleep } = sleeper(30);
    const a = await system(t).start('a', { classes: [Sleeper] });
    const agent = a.get(Sleeper, 'x');
    await agent.ask('hold');
    await agent.ask('wait', 120);
    await sleep(120);
    assert.deepEqual(log, [`create ${NEW}`]);
    await agent.ask('let go');
    await asleep();
    const [waited] = await Promise.all([agent.ask('wait', 150), asleep(1)]);
    assert.equal(waited, undefined);
    assert.equal(log[2], `create ${WAKE}`);
  });

  test('what keepAwake() returns is released once, also by the symbol of "using"', async (t) => {
    let instance;
    const { Sleeper, asleep } = sleeper(30, { onAsk() { instance = this; } });
    const a = await system(t).start('a', { classes: [Sleeper] });
    await a.get(Sleeper, 'x').ask('m');
    const [one, two] = [instance.keepAwake(), instance.keepAwake()];
    one.release();
    one.release();
    assert.deepEqual(Object.keys(two), []);
    await sleep(80);
    assert.deepEqual(residents(a), ['Sleeper/x']);
    two[Symbol.dispose ?? 'release']();
    await asleep();
  });

  test('a serial worker sleeps between its messages, never beside one', async (t) => {
    const { Sleeper, asleep, log } = sleeper(30);
    Sleeper.concurrency = 'serial';
    const a = await system(t).start('a', { classes: [Sleeper] });
    const agent = a.get(Sleeper, 'x');
    await Promise.all([agent.ask('wait', 60), agent.ask('wait', 60), agent.ask('m', 1)]);
    await asleep();
    assert.deepEqual((await agent.ask('m', 2)).seen, [2]);
    assert.deepEqual(log.slice(0, 3), [`create ${NEW}`, `destroy ${IDLE}`, `create ${WAKE}`]);
  });

  test('classes with another "idle" or a "keepAwake" of their own stay as they are', async (t) => {
    const values = [true, 'soon', '10 m', -1, 0, 1.5, Infinity, null, {}, '0s'];
    const classes = values.map((idle, n) => Object.assign(worker(`Room${n}`, { onAsk: () => n }), { idle }));
    const Own = worker('Own', {
      keepAwake: (n) => n + 1,
      onAsk(method, data) {
        return method === 'awake' ? this.keepAwake(data) : this.idle;
      },
    }, function () {
      this.idle = '1ms';
    });
    const a = await system(t).start('a', { classes: [...classes, Own] });
    const agents = await Promise.all([...classes, Own].map(({ name }) => a.createWorker(name)));
    await sleep(60);
    assert.equal(residents(a).length, classes.length + 1);
    assert.deepEqual(await Promise.all(agents.map((agent) => agent.ask('awake', 1))), [...values.keys(), 2]);
    assert.equal(await agents.at(-1).ask('idle'), '1ms');
    const Declared = Object.assign(worker('Declared', { keepAwake: (n) => n + 2 }), { methods: ['keepAwake'] });
    a.registerWorker(Declared);
    assert.equal(await (await a.createWorker('Declared')).call.keepAwake(1), 3);
    const Wrong = Object.assign(worker('Wrong'), { methods: ['keepAwake'] });
    assert.throws(() => a.registerWorker(Wrong), { code: 'DW_ERR_CONFIG' });
  });

  test('agent.destroy() ends a worker that is falling asleep, or is woken in the same moment', async (t) => {
    let release;
    const { Sleeper, log } = sleeper(30, {
      onDestroy: ({ cause }) => cause === IDLE && new Promise((resolve) => (release = resolve)),
    });
    const s = system(t);
    const a = await s.start('a', { classes: [Sleeper] });
    const b = await s.start('b', { classes: [Sleeper] });
    const agent = b.get(Sleeper, 'x');
    await agent.ask('m', 1);
    await until('it falls asleep', () => release !== undefined);
    const destroyed = agent.destroy();
    await sleep(20);
    release();
    await destroyed;
    assert.equal(await a.findWorker('Sleeper/x'), null);
    assert.deepEqual(log.filter((line) => line === `create ${NEW}`).length, 1);
    assert.ok(!log.includes(`destroy ${SELF}`) || log.includes(`create ${WAKE}`));
  });

  test('a broker that leaves waits for workers that fall asleep', async (t) => {
    let release;
    const { Sleeper } = sleeper(30, {
      onDestroy: () => release === undefined && new Promise((resolve) => (release = resolve)),
    });
    const s = system(t);
    const a = await s.start('a', { classes: [Sleeper] });
    const b = await s.start('b', { classes: [] });
    await a.createWorker('Sleeper', { id: 'x' });
    await until('it falls asleep', () => release !== undefined);
    const left = a.destroy();
    await sleep(20);
    release();
    await left;
    assert.equal((await b.inspect('x')).state, 'asleep');
  });

  test('a woken worker whose onCreate rejects answers nevertheless, where createWorker made it', async (t) => {
    let fails = false;
    const { Sleeper, asleep } = sleeper(30, {
      onCreate() {
        if (fails) throw new Error('no');
      },
      onAsk: () => 'fine',
    });
    const a = await system(t).start('a', { classes: [Sleeper] });
    a.on('workerError', () => {});
    const made = await a.createWorker('Sleeper');
    const got = a.get(Sleeper, 'x');
    await got.ask('m');
    await asleep(2);
    fails = true;
    assert.equal(await made.ask('m'), 'fine');
    assert.equal((await rejection(got.ask('m'))).code, 'DW_ERR_ACTIVATION');
    fails = false;
    assert.equal(await got.ask('m'), 'fine', 'it rested, and is tried again');
  });
});

onRedis((system, server) => {
  test('while Redis does not answer an idle worker stays in memory', async (t) => {
    const { Sleeper, log, asleep } = sleeper(400);
    const a = await system(t).start('a', { classes: [Sleeper], lease: { renew: 50 } });
    const agent = a.get(Sleeper, 'x');
    await agent.ask('m', 1);
    server().pause();
    try {
      await sleep(900);
      assert.deepEqual((await agent.ask('m', 2)).seen, [1, 2]);
      assert.deepEqual(log, [`create ${NEW}`]);
    } finally {
      server().resume();
    }
    await asleep();
  });

  test('a worker whose data base was wiped while it fell asleep is asleep when all is restored', async (t) => {
    let release;
    const { Sleeper, log } = sleeper(30, {
      onDestroy: () => release === undefined && new Promise((resolve) => (release = resolve)),
    });
    const a = await system(t).start('a', { classes: [Sleeper] });
    const agent = a.get(Sleeper, 'x', { attributes: { list: [] } });
    await agent.ask('m', 1);
    await until('it falls asleep', () => release !== undefined);
    await server().command('FLUSHALL');
    const late = agent.ask('m', 2, { timeout: 20_000 });
    release();
    assert.deepEqual(await late.then(({ seen, attributes }) => [seen, attributes]), [[2], { list: [], static: false }]);
    assert.deepEqual(log.slice(0, 3), [`create ${NEW}`, `destroy ${IDLE}`, `create ${WAKE}`]);
  });
});
