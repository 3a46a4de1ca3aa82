'use strict';

/** What waits while the data of a worker is not stored, and what becomes of data when Redis or a broker fails. */

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Broker, Worker } = require('..');
const { atEnd } = require('./helpers/cleanup');
const { echo, worker } = require('./helpers/classes');
const { Member } = require('./helpers/members');
const { startRedis } = require('../support/redis-server');
const { rejection, until } = require('../support/wait');

function counterClass(declared = {}) {
  const log = [];
  const Counter = worker('Counter', {
    onCreate(info) {
      this.load = 1;
      log.push([this.id, info.cause, info.afterWipe]);
    },
    onDestroy(info) {
      log.push([this.id, 'destroyed', info.cause]);
    },
    async onAsk(method, data) {
      return this[method](data);
    },
    onTell(method, data) {
      return this[method](data);
    },
    add(n) {
      this.data = { n: this.data.n + n };
      return this.data.n;
    },
    read() {
      return this.data.n;
    },
    /** Changes its data and sends messages to another worker, which must not hear of the change yet. */
    async passOn({ to, n, timeout }) {
      this.add(n);
      const agent = this.broker.get('Heard', to);
      agent.tell('heard', n);
      return agent.ask('heard', n + 1, { timeout });
    },
    makeAnother(id) {
      this.add(1);
      return this.broker.createWorker('Heard', { id }).then(() => id);
    },
  });
  Counter.data = { version: 1, initial: () => ({ n: 0 }), ...declared };
  return { Counter, log };
}

function listener() {
  const heard = [];
  const Heard = worker('Heard', {
    onCreate() {
      heard.push(`made ${this.id}`);
      this.load = 1;
    },
    onAsk: (method, data) => (heard.push(data), data),
    onTell: (method, data) => heard.push(data),
  });
  return { Heard, heard };
}

/** A private server, and a function that starts brokers on it. */
async function system(t, settings) {
  const server = await startRedis({ settings });
  atEnd(t, () => server.stop());
  const start = async (id, classes, option) => {
    const broker = new Broker(id, { redis: server.url, ns: 'gate', ...option });
    for (const WorkerClass of classes) broker.registerWorker(WorkerClass);
    atEnd(t, async () => {
      if (broker.state === Broker.State.ACTIVE) await broker.destroy({ noRecover: true });
      broker.quit();
    });
    await broker.start();
    return broker;
  };
  const stored = async (id) => /\{.*\}/.exec(await server.command(`GET {gate}:d:${id}`))?.[0];
  return { server, start, stored };
}

/** Runs `work` while the server answers nothing. */
async function whilePaused(server, work) {
  server.pause();
  try {
    return await work();
  } finally {
    server.resume();
  }
}

/** Other work has gone on for a while: what did not wait has arrived. */
async function others(agent) {
  for (let round = 0; round < 50; round += 1) await agent.ask('echo', round);
}

function noted(promise) {
  const note = { settled: false };
  note.promise = promise.finally(() => (note.settled = true));
  note.promise.catch(() => {});
  return note;
}

for (const where of ['of its own broker', 'of another broker']) {
  test(`answers and messages wait for the change, whatever else goes on, for a caller ${where}`, async (t) => {
    const { server, start, stored } = await system(t);
    const { Counter } = counterClass();
    const { Heard, heard } = listener();
    const home = await start('home', [Counter, Heard, echo()]);
    const caller = where === 'of its own broker' ? home : await start('away', [], { clustername: 'elsewhere' });
    const agents = ['changed', 'still'].map((key) => caller.get('Counter', key, { clustername: 'main' }));
    const bystander = caller.get('Echo', 'e', { clustername: 'main' });
    for (const agent of agents) await agent.ask('add', 1);
    await home.get('Heard', 'h').ask('heard', 0);
    await others(bystander);
    const [changed, still] = agents;
    const waiting = await whilePaused(server, async () => {
      const asks = [changed.ask('add', 1), changed.ask('read'), changed.ask('passOn', { to: 'h', n: 5 }), changed.ask('add', 1)].map(noted);
      await others(bystander);
      assert.equal(await still.ask('read'), 1, 'a worker that did not change answers');
      assert.deepEqual(asks.map(({ settled }) => settled), [false, false, false, false]);
      assert.deepEqual(heard, ['made Heard/h', 0]);
      return asks;
    });
    assert.deepEqual(await Promise.all(waiting.map(({ promise }) => promise)), [2, 2, 6, 8]);
    assert.deepEqual(heard, ['made Heard/h', 0, 5, 6]);
    assert.equal(await stored('Counter/changed'), '{"n":8}');
  });
}

test('deadlines and what is created count while they wait', async (t) => {
  const { server, start } = await system(t);
  const { Counter } = counterClass();
  const { Heard, heard } = listener();
  const broker = await start('b', [Counter, Heard]);
  const agent = broker.get(Counter, 'x');
  await agent.ask('add', 1);
  await broker.get('Heard', 'h').ask('heard', 0);
  const made = await whilePaused(server, async () => {
    const creation = agent.ask('makeAnother', 'new');
    const late = await rejection(agent.ask('add', 1, { timeout: 50 }));
    assert.equal(late.code, 'DW_ERR_TIMEOUT');
    const inner = noted(agent.ask('passOn', { to: 'h', n: 5, timeout: 30 }, { timeout: 10_000 }));
    await rejection(agent.ask('read', null, { timeout: 100 }));
    assert.equal(inner.settled, false, 'the answer waits, whatever it says');
    return { creation, inner };
  });
  assert.equal(await made.creation, 'new');
  const error = await rejection(made.inner.promise);
  assert.deepEqual([error.code, error.cause.code, error.cause.delivered], ['DW_ERR_REJECTED', 'DW_ERR_TIMEOUT', 'no']);
  await until('the tell was sent', () => heard.includes(5));
  assert.deepEqual([heard.includes(6), heard.includes('made new')], [false, true]);
});

test('many changes of one worker are few writes, and each answer is right', async (t) => {
  const { server, start, stored } = await system(t);
  const { Counter } = counterClass();
  const broker = await start('b', [Counter]);
  const agent = broker.get(Counter, 'x');
  await agent.ask('add', 0);
  const writes = async () => Number(/cmdstat_set:calls=(\d+)/.exec(await server.command('INFO commandstats'))?.[1] ?? 0);
  const before = await writes();
  const answers = await Promise.all(Array.from({ length: 1000 }, () => agent.ask('add', 1)));
  assert.deepEqual(answers, Array.from({ length: 1000 }, (_, n) => n + 1));
  assert.equal(await stored('Counter/x'), '{"n":1000}');
  const count = (await writes()) - before;
  assert.ok(count >= 1 && count <= 100, `${count} writes`);
});

test('a server that refuses the write fails the calls that wait, and the next change that it takes has all', async (t) => {
  const { server, start, stored } = await system(t);
  const { Counter } = counterClass();
  const broker = await start('b', [Counter]);
  const agent = broker.get(Counter, 'x');
  await agent.ask('add', 1);
  await server.command('CONFIG SET maxmemory 1');
  const errors = await Promise.all([rejection(agent.ask('add', 1)), rejection(agent.ask('read'))]);
  for (const error of errors) {
    assert.deepEqual([error.code, error.delivered, error.cause.code], ['DW_ERR_NOT_STORED', 'yes', 'DW_ERR_REDIS'], String(error));
  }
  await server.command('CONFIG SET maxmemory 0');
  assert.equal(await agent.ask('add', 1), 3);
  assert.equal(await stored('Counter/x'), '{"n":3}');
});

test('a write that is not acknowledged in time fails the calls that wait', async (t) => {
  const { server, start } = await system(t);
  const { Counter } = counterClass();
  const broker = await start('b', [Counter], { rpcTimeout: 300, lease: { ttl: 20_000 } });
  const agent = broker.get(Counter, 'x');
  await agent.ask('add', 1);
  const error = await whilePaused(server, () => rejection(agent.ask('add', 1, { timeout: 15_000 })));
  assert.deepEqual([error.code, error.cause.code], ['DW_ERR_NOT_STORED', 'DW_ERR_TIMEOUT'], String(error));
  const last = await until('Redis is back', () => agent.ask('add', 1), 15_000);
  assert.ok(last >= 3);
});

test('after FLUSHALL workers that are awake store their data again, and new ones hear of it', async (t) => {
  const { server, start, stored } = await system(t);
  const { Counter, log } = counterClass();
  const { Counter: Manual } = counterClass({ save: 'manual' });
  const broker = await start('b', [Counter]);
  broker.registerWorker('Manual', Manual);
  const errors = [];
  broker.on('log', ({ level, message }) => level === 'error' && errors.push(message));
  await broker.get(Counter, 'x').ask('add', 5);
  Manual.prototype.store = Worker.prototype.save;
  await broker.get('Manual', 'm').ask('add', 1);
  await broker.get('Manual', 'm').ask('store');
  await broker.get('Manual', 'm').ask('add', 10);
  await server.command('FLUSHALL');
  await until('the data is back', async () => (await stored('Counter/x')) === '{"n":5}', 15_000);
  await until('what was saved is back', async () => (await stored('Manual/m')) === '{"n":1}');
  assert.equal(await broker.get(Counter, 'x').ask('add', 1), 6);
  assert.match(errors.join(), /lost its data/);
  assert.deepEqual(log.map(([id]) => id), ['Counter/x'], 'it was not made again, nor ended');
  await broker.get(Counter, 'new').ask('add', 1);
  assert.deepEqual(log.at(-1), ['Counter/new', 0, true]);
});

test('a server that comes back without the last writes gets them again', async (t) => {
  const { server, start, stored } = await system(t);
  const { Counter, log } = counterClass();
  const broker = await start('b', [Counter]);
  const agent = broker.get(Counter, 'x');
  await agent.ask('add', 1);
  await server.command('SAVE');
  await agent.ask('add', 1);
  await server.kill();
  await server.start();
  await until('the data is back', async () => (await stored('Counter/x')) === '{"n":2}', 15_000);
  assert.equal(await agent.ask('add', 1), 3);
  assert.equal(log.length, 1);
});

test('data that is missing beside its entry is never begun anew', async (t) => {
  const { server, start } = await system(t);
  const { Counter } = counterClass();
  const a = await start('a', [Counter]);
  await a.get(Counter, 'x').ask('add', 5);
  await a.destroy({ noRecover: true });
  await server.command('DEL {gate}:d:Counter/x');
  const b = await start('b', [Counter]);
  const error = await rejection(b.get(Counter, 'x').ask('read'));
  assert.deepEqual([error.code, error.delivered], ['DW_ERR_DATA_FORMAT', 'no'], String(error));
  await server.command('SET {gate}:d:Counter/x junk');
  assert.equal((await until('it is tried again', () => rejection(b.get(Counter, 'x').ask('read')))).code, 'DW_ERR_DATA_FORMAT');
  await b.get(Counter, 'x').destroy();
  assert.equal(await b.get(Counter, 'x').ask('add', 1), 1);
});

for (const where of ['of its own broker', 'of another broker']) {
  test(`an instance that was replaced writes nothing, and a caller ${where} does not hear that it did`, async (t) => {
    const { server, start, stored } = await system(t);
    const { Counter, log } = counterClass();
    const home = await start('home', [Counter]);
    const caller = where === 'of its own broker' ? home : await start('away', [], { clustername: 'elsewhere' });
    const agent = caller.get('Counter', 'x', { clustername: 'main' });
    for (let n = 1; n <= 2; n += 1) assert.equal(await agent.ask('add', 1), n);
    const epoch = /[a-z]\d{18}/.exec(await server.command('GET {gate}:w:Counter/x'))[0].slice(3, 19);
    await server.command(`SETRANGE {gate}:w:Counter/x 3 ${String(BigInt(epoch) + 1n).padStart(16, '0')}`);
    assert.equal((await rejection(agent.ask('add', 10))).code, 'DW_ERR_PEER_LOST');
    await until('it has ended', () => log.some(([, what, cause]) => what === 'destroyed' && cause === Worker.DestroyCause.FENCED));
    assert.equal(await stored('Counter/x'), '{"n":2}');
  });
}

test('nothing that a caller was told is lost when the process of the worker is killed', async (t) => {
  const { server, start } = await system(t);
  const caller = await start('caller', [], { clustername: 'elsewhere' });
  const option = { redis: server.url, ns: 'gate' };
  let member = await Member.start(t, 'm0', option, ['Counter']);
  for (const round of [1, 2, 3]) {
    const following = await Member.start(t, `m${round}`, option, ['Counter']);
    // A worker whose process ends again and again would be quarantined.
    const agent = caller.get('Counter', `x${round}`, { clustername: 'main' });
    let told = 0;
    let killed;
    for (let sent = 1; sent <= 200; sent += 1) {
      if (sent === 150) killed = Promise.all([member, following].map(async (each) => (await each.call('residents')).includes(agent.id) && each.kill()));
      const answer = await agent.ask('add', 1, { timeout: 15_000 }).catch(() => null);
      if (answer === null) continue;
      assert.ok(answer.n > told, `${answer.n} after ${told}`);
      told = answer.n;
    }
    await killed;
    const { n } = await agent.ask('read', null, { timeout: 15_000 });
    assert.ok(n >= told && n <= 200, `${n}, told ${told}`);
    if (member.isOver) member = following;
    else await following.kill();
  }
});

test('a process that was frozen past its lease writes nothing when it goes on', async (t) => {
  const { server, start } = await system(t);
  const lease = { ttl: 1500, renew: 150 };
  const caller = await start('caller', [], { clustername: 'elsewhere', lease });
  const option = { redis: server.url, ns: 'gate', lease };
  const frozen = await Member.start(t, 'frozen', option, ['Counter']);
  const agent = caller.get('Counter', 'x', { clustername: 'main' });
  await agent.ask('add', 1);
  frozen.freeze();
  const healthy = await Member.start(t, 'healthy', option, ['Counter']);
  const after = await until('it lives elsewhere', () => agent.ask('add', 1, { timeout: 2000 }), 20_000);
  assert.equal(after.by, healthy.pid);
  process.kill(frozen.pid, 'SIGCONT');
  await until('it was fenced', async () => (await frozen.call('journal')).some(({ what, cause }) => what === 'destroy' && cause === Worker.DestroyCause.FENCED), 15_000);
  const last = await agent.ask('add', 1, { timeout: 5000 });
  assert.deepEqual([last.n - after.n, last.by], [1, healthy.pid]);
});
