'use strict';

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { Agent, Broker } = require('..');
const { echo } = require('./helpers/classes');
const { atEnd } = require('./helpers/cleanup');
const { freePort } = require('../support/ports');
const { startRedis } = require('../support/redis-server');
const { rejection, until } = require('../support/wait');

/** A broker that is gone when the test ends. */
function broker(t, redis, option = {}) {
  const made = new Broker('b', { redis, ...option });
  made.registerWorker(echo());
  atEnd(t, async () => {
    if (made.state === Broker.State.ACTIVE) await made.destroy().catch(() => {});
    made.quit();
  });
  return made;
}

async function server(t, option) {
  const started = await startRedis(option);
  atEnd(t, () => started.stop());
  return started;
}

describe('Redis that is silent', () => {
  test('lets a tell wait no longer for its way than it may', async (t) => {
    const redis = await server(t);
    const b = broker(t, redis.url, { retries: { duration: 300 } });
    await b.start();
    redis.pause();
    t.after(() => redis.resume());
    const settled = [];
    const note = (what) => ({ code, delivered }) => settled.push([what, code, delivered]);
    const looked = b.findWorker('another').catch(note('findWorker'));
    await new Agent('nobody', b).tell('m').catch(note('tell'));
    await looked;
    assert.deepEqual(settled, [['tell', 'DW_ERR_UNREACHABLE', 'no'], ['findWorker', 'DW_ERR_REDIS', 'no']]);
  });
});

describe('Redis that is not there', () => {
  test('start() rejects with DW_ERR_REDIS, the broker is INACTIVE, and a second start() works once it is', async (t) => {
    const port = await freePort();
    const b = broker(t, { host: '127.0.0.1', port });
    const states = [];
    b.on('state', (from, to) => states.push(to));
    const began = Date.now();
    const error = await rejection(b.start());
    assert.deepEqual([error.code, error.delivered], ['DW_ERR_REDIS', 'no']);
    assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${port}`));
    assert.ok(Date.now() - began < 10000);
    assert.deepEqual([b.state, states], [Broker.State.INACTIVE, [1, 0]]);
    await server(t, { port });
    await b.start();
    assert.equal(await (await b.createWorker('Echo')).ask('m', 1), 1);
    await b.destroy();
  });

  test('the callback of start() receives it too', async (t) => {
    const b = broker(t, `redis://127.0.0.1:${await freePort()}`);
    const error = await new Promise((resolve) => b.start(resolve));
    assert.equal(error.code, 'DW_ERR_REDIS');
  });
});

describe('Redis that wants a password', () => {
  const password = 'open-sesame';

  test('lets a broker in that knows it, by URL and by option', async (t) => {
    const redis = await server(t, { password });
    for (const option of [redis.url, { host: '127.0.0.1', port: redis.port, password }, { url: `redis://127.0.0.1:${redis.port}`, password }]) {
      const b = broker(t, option, { ns: `n${Math.random()}` });
      await b.start();
      assert.equal(await (await b.createWorker('Echo')).ask('m', 1), 1);
      await b.destroy();
    }
  });

  test('refuses one with a wrong or no password, and the error does not tell it', async (t) => {
    const redis = await server(t, { password });
    for (const option of [`redis://127.0.0.1:${redis.port}`, `redis://:wr0ng-word@127.0.0.1:${redis.port}`]) {
      const logs = [];
      const b = broker(t, option);
      b.on('log', ({ message }) => logs.push(message));
      const error = await rejection(b.start());
      assert.equal(error.code, 'DW_ERR_REDIS');
      assert.equal(b.state, Broker.State.INACTIVE);
      assert.doesNotMatch([error.message, ...logs].join(), /wr0ng-word/);
    }
  });
});

test('databases of one server are apart', async (t) => {
  const redis = await server(t);
  const [one, two] = [broker(t, `${redis.url}/1`), broker(t, `${redis.url}/2`)];
  await one.start();
  await two.start();
  await one.createWorker('Echo', { id: 'mine' });
  assert.equal(await two.findWorker('mine'), null);
});

test('a namespace of another version is refused, and left as it is', async (t) => {
  const redis = await server(t);
  const commands = ['HSET {dw}:meta schema 999', `HSET dw:bh old '{"st":"active","cn":"main","addr":"127.0.0.1:1"}'`];
  for (const command of commands) {
    await redis.command('FLUSHALL');
    await redis.command(command);
    const b = broker(t, redis.url);
    const error = await rejection(b.start());
    assert.deepEqual([error.code, b.state], ['DW_ERR_SCHEMA', Broker.State.INACTIVE], command);
    assert.match(await redis.command('DBSIZE'), /^:1\r/);
  }
});

test('calls on known routes need no Redis, and nothing ends the process while it is away', async (t) => {
  const redis = await server(t);
  const b = broker(t, redis.url, { retries: { duration: 200 } });
  await b.start();
  const agent = await b.createWorker('Echo');
  assert.equal(await agent.ask('m', 1), 1);
  await redis.stop();
  assert.equal(await agent.ask('m', 2), 2);
  const error = await rejection(b.findWorker('nobody'));
  assert.deepEqual([error.code, error.delivered], ['DW_ERR_REDIS', 'no']);
  b.restartAll();
  const began = Date.now();
  await b.destroy().catch(() => {});
  assert.equal(b.state, Broker.State.DESTROYED);
  assert.ok(Date.now() - began < 10000);
});

test('a SCRIPT FLUSH is not noticed, and neither it nor a FLUSHALL nor a foreign message ends the process', async (t) => {
  const redis = await server(t);
  const b = broker(t, redis.url);
  await b.start();
  await redis.command('SCRIPT FLUSH');
  const agent = await b.createWorker('Echo', { id: 'w' });
  assert.equal(await agent.ask('m', 1), 1);
  for (const channel of ['dw:ch', '{dw}:0:signals', 'dw:ch:b']) await redis.command(`PUBLISH ${channel} null`);
  await redis.command('FLUSHALL');
  assert.equal(await agent.ask('m', 2), 2);
  assert.notEqual(b.state, Broker.State.DESTROYED);
});

test('a listener of the application receives what the core logs, with the id of its own broker', async (t) => {
  const redis = await server(t);
  const b = broker(t, redis.url);
  const logs = [];
  b.on('log', (event) => logs.push(event));
  await b.start();
  await until('the core has spoken', () => logs.some(({ message }) => /listen/i.test(message)));
  assert.ok(logs.every(({ id }) => id === 'b'));
});
