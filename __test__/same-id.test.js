'use strict';

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { Broker, Worker } = require('..');
const { Member } = require('./helpers/members');
const { startRedis } = require('../support/redis-server');
const { rejection, until } = require('../support/wait');

const TTL = 2000;
let systems = 0;

describe('two lives of one broker id', () => {
  let server;
  before(async () => {
    server = await startRedis();
  });
  after(() => server.stop());
  const system = () => ({ redis: server.url, ns: `same${(systems += 1)}`, lease: { ttl: TTL, renew: 200 } });
  const members = async (ns) => (await server.command(`HLEN {${ns}}:brokers`)).trim();

  test('do not go on side by side when the first was only frozen', async (t) => {
    const option = system();
    const first = await Member.start(t, 'same', option);
    await first.call('create', 'Room', { id: 'before' });
    process.kill(first.pid, 'SIGSTOP');
    // It starts once it has seen the first one silent for a whole lease.
    const second = await Member.start(t, 'same', option);
    const id = await second.call('create', 'Room', { id: 'room' });
    process.kill(first.pid, 'SIGCONT');
    await until('the first one learns that its life is over', async () => (await first.call('errors')).some((text) => /evicted this broker/.test(text)));
    await until('its workers have ended', async () => (await first.call('residents')).length === 0);
    assert.deepEqual((await first.call('journal')).at(-1), { id: 'before', what: 'destroy', cause: Worker.DestroyCause.FENCED });
    // The application's view of the broker stays: it joins again as soon as the id is free, and refuses calls until then.
    assert.equal(await first.call('state'), Broker.State.ACTIVE);
    assert.equal((await rejection(first.call('find', 'room'))).code, 'DW_ERR_STATE');
    assert.equal(await second.call('ask', id, 'echo', 1), 1);
    assert.equal(await members(option.ns), ':1');
    assert.deepEqual(await second.call('errors'), []);
    // The first one takes the id back when the second one has left.
    await second.call('destroy');
    await until('the first one joins again', async () => (await members(option.ns)) === ':1', 10000);
    assert.equal(await first.call('create', 'Room', { id: 'next' }), 'next');
  });

  test('do not go on side by side when the second one started on an emptied database', async (t) => {
    const option = system();
    const first = await Member.start(t, 'same', option);
    process.kill(first.pid, 'SIGSTOP');
    await server.command('FLUSHALL');
    const second = await Member.start(t, 'same', option);
    process.kill(first.pid, 'SIGCONT');
    await until('the first one learns that its life is over', async () => (await first.call('errors')).some((text) => /Another live broker has the id/.test(text)));
    assert.equal(await members(option.ns), ':1');
    assert.equal(await second.call('create', 'Room', { id: 'room' }), 'room');
    assert.deepEqual(await second.call('errors'), []);
  });

  test('an expired lease of a process that is gone delays the next start by no lease', async (t) => {
    const option = { ...system(), lease: { ttl: 20000, renew: 200 } };
    const first = await Member.start(t, 'same', option);
    await first.kill();
    await server.command(`ZINCRBY {${option.ns}}:leases -60000 ${(await server.command(`ZRANGE {${option.ns}}:leases 0 0`)).split('\r\n')[2]}`);
    const next = await Member.start(t, 'same', option);
    assert.equal(await next.call('state'), Broker.State.ACTIVE);
    assert.ok((await next.call('startedIn')) < 20000);
    assert.equal(await members(option.ns), ':1');
  });
});
