'use strict';

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { allFollow } = require('./helpers/followers');
const { Member } = require('./helpers/members');
const { startRedis } = require('../support/redis-server');
const { rejection, sleep, until } = require('../support/wait');

/** A death is known when the lease of 5 s has run out and somebody looks, once a second. */
const RECOVERY_MS = 15000;

let server;
let namespaces = 0;
before(async () => {
  server = await startRedis();
});
after(() => server.stop());

function option(more = {}) {
  return { redis: server.url, ns: `p${namespaces}`, ...more };
}

/** Brokers in processes of their own, in a namespace of their own. */
async function members(t, ids, more, classes) {
  namespaces += 1;
  return Promise.all(ids.map((id) => Member.start(t, id, option(more), classes)));
}

const recoverable = { attributes: { recoverable: true } };

describe('brokers in processes of their own', () => {
  test('workers spread over the processes and answer to each of them', async (t) => {
    const all = await members(t, ['a', 'b', 'c']);
    const ids = [];
    for (let n = 0; n < 9; n += 1) ids.push(await all[n % 3].call('create', 'Room'));
    assert.deepEqual(new Set(ids).size, 9);
    const pids = new Map();
    for (const id of ids) {
      const places = await Promise.all(all.map((member) => member.call('ask', id, 'where')));
      assert.equal(new Set(places.map(({ pid }) => pid)).size, 1);
      pids.set(places[0].pid, (pids.get(places[0].pid) || 0) + 1);
    }
    assert.deepEqual([...pids.keys()].sort(), all.map(({ pid }) => pid).sort());
    for (const count of pids.values()) assert.ok(count >= 2, String(count));
  });

  test('asks, tells and failures cross between processes', async (t) => {
    const [a, b] = await members(t, ['a', 'b']);
    const ids = [await a.call('create', 'Room'), await a.call('create', 'Room')];
    for (const id of ids) {
      for (const member of [a, b]) {
        assert.deepEqual(await member.call('ask', id, 'echo', { from: member.id }), { from: member.id });
        await member.call('tell', id, 'note', `told by ${member.id}`);
        const error = await rejection(member.call('ask', id, 'fail', 'sorry'));
        assert.deepEqual([error.name, error.message, error.code, error.delivered], ['TypeError', 'sorry', 'E_ROOM', 'yes']);
      }
      const expected = [{ from: 'a' }, 'told by a', { from: 'b' }, 'told by b'];
      assert.deepEqual(await until('all is seen', async () => {
        const seen = await a.call('ask', id, 'seen');
        return seen.length === 4 && seen;
      }), expected);
    }
  });

  test('a worker asks another one in another process', async (t) => {
    const [a, b] = await members(t, ['a', 'b']);
    const ids = [await a.call('create', 'Room'), await b.call('create', 'Room')];
    const places = await Promise.all(ids.map((id) => a.call('ask', id, 'where')));
    assert.notEqual(places[0].pid, places[1].pid);
    assert.equal(await a.call('ask', ids[0], 'relay', { to: ids[1], data: 'hello' }), 'hello');
    assert.equal(await a.call('ask', ids[1], 'relay', { to: ids[0], data: 'back' }), 'back');
  });

  test('a broker of another cluster creates, finds and asks, and hosts nothing', async (t) => {
    const [a] = await members(t, ['a']);
    const other = await Member.start(t, 'other', option({ clustername: 'elsewhere' }), ['Room', 'Elsewhere']);
    const id = await other.call('create', 'Room');
    assert.equal((await other.call('ask', id, 'where')).broker, 'a');
    await assert.rejects(a.call('create', 'Elsewhere'), { code: 'DW_ERR_CLASS_UNKNOWN' });
    assert.equal((await other.call('ask', await other.call('create', 'Elsewhere'), 'where')).broker, 'other');
  });

  test('destroy() hands the recoverable workers over, and the process ends by itself', async (t) => {
    const [a, b] = await members(t, ['a', 'b']);
    const ids = [];
    for (let n = 0; n < 6; n += 1) ids.push(await a.call('create', 'Room', recoverable));
    const mine = await a.call('residents');
    assert.ok(mine.length > 0);
    await a.call('destroy');
    await a.call('quit');
    for (const id of ids) assert.equal((await b.call('ask', id, 'where')).broker, 'b');
    const again = (await b.call('journal')).filter(({ what, cause }) => what === 'create' && cause === 1).map(({ id }) => id);
    assert.deepEqual(again.sort(), mine);
    assert.equal(await a.end(), 0);
  });

  test('restartAll() reaches every process', async (t) => {
    const all = await members(t, ['a', 'b', 'c']);
    await all[0].call('create', 'Room', { id: 'gone', ...recoverable });
    await all[1].call('restartAll');
    for (const member of all) {
      await until(`${member.id} has restarted`, async () => (await member.call('states')).length === 6, 10000);
      assert.deepEqual(await member.call('states'), [1, 2, 3, 4, 1, 2]);
    }
    assert.equal(await all[0].call('find', 'gone'), false);
  });

  test('two namespaces on one server know nothing of each other', async (t) => {
    const [a] = await members(t, ['same']);
    const [b] = await members(t, ['same']);
    await a.call('create', 'Room', { id: 'mine' });
    assert.equal(await b.call('find', 'mine'), false);
    assert.equal(await b.call('create', 'Room', { id: 'mine' }), 'mine');
    assert.notEqual((await a.call('ask', 'mine', 'where')).pid, (await b.call('ask', 'mine', 'where')).pid);
  });
});

describe('after kill -9', () => {
  test('the recoverable workers are recovered elsewhere: same id, same attributes, a higher epoch; the others are gone', async (t) => {
    const [a, b, c] = await members(t, ['a', 'b', 'c']);
    const attributes = { recoverable: true, list: [], big: 9007199254740991, text: 'Zoë 🦄' };
    const ids = [];
    for (let n = 0; n < 9; n += 1) ids.push(await b.call('create', 'Room', { attributes: { ...attributes, n } }));
    const lost = [];
    for (let n = 0; n < 3; n += 1) lost.push(await b.call('create', 'Room'));
    const before = new Map();
    for (const id of [...ids, ...lost]) before.set(id, await b.call('ask', id, 'where'));
    const here = (place) => before.get(place).broker === 'a';
    assert.ok(ids.some(here) && lost.some(here));
    await a.kill();
    for (const id of ids) {
      const now = await until(`${id} answers`, () => c.call('ask', id, 'where'), RECOVERY_MS);
      assert.deepEqual(now.attributes, before.get(id).attributes);
      if (here(id)) {
        assert.notEqual(now.broker, 'a');
        assert.ok(BigInt(now.epoch) > BigInt(before.get(id).epoch));
      } else {
        assert.deepEqual(now, before.get(id));
      }
    }
    for (const id of lost.filter(here)) {
      await until(`${id} is known to be gone`, async () => (await b.call('find', id)) === false, RECOVERY_MS);
    }
    const made = [...(await b.call('journal')), ...(await c.call('journal'))].filter(({ what, cause }) => what === 'create' && cause === 1);
    assert.deepEqual(made.map(({ id }) => id).sort(), ids.filter(here).sort());
  });

  test('every other broker tells of the death, once', async (t) => {
    const [a, b, c] = await members(t, ['a', 'b', 'c']);
    // Only who knew it tells of its death.
    await allFollow(server, `p${namespaces}`, 3);
    await a.kill();
    for (const other of [b, c]) {
      await until('the death is told', async () => (await other.call('deaths')).length > 0, RECOVERY_MS);
      // Whoever finds out by itself, too, has done so when the workers of a later death are back.
    }
    const id = await b.call('create', 'Room', { attributes: { recoverable: true } });
    const { broker } = await b.call('ask', id, 'where');
    const [gone, left] = broker === 'b' ? [b, c] : [c, b];
    await gone.kill();
    await until('the worker is back', async () => (await left.call('find', id)) && (await left.call('ask', id, 'where')).broker !== broker, RECOVERY_MS);
    assert.deepEqual(await left.call('deaths'), ['a', broker]);
  });

  test('a death is proven without waiting for a lease of ten minutes', async (t) => {
    const [a, b] = await members(t, ['a', 'b'], { lease: { ttl: 600_000, renew: 500 } });
    const ids = [];
    for (let n = 0; n < 10; n += 1) ids.push(await b.call('create', 'Room', { attributes: { recoverable: true } }));
    await a.kill();
    for (const id of ids) {
      const now = await until(`${id} answers`, () => b.call('ask', id, 'where'), RECOVERY_MS);
      assert.equal(now.broker, 'b');
    }
  });

  test('an ask in flight fails at once, delivered: unknown, and no ask outlives its deadline', async (t) => {
    const [a, b] = await members(t, ['a', 'b'], { rpcTimeout: 4000 });
    const ids = [await b.call('create', 'Room'), await b.call('create', 'Room')];
    const places = await Promise.all(ids.map((id) => b.call('ask', id, 'where')));
    const far = ids[places.findIndex(({ broker }) => broker === 'a')];
    const hanging = rejection(b.call('ask', far, 'hang'));
    await b.call('ask', far, 'echo');
    const began = Date.now();
    await a.kill();
    const error = await hanging;
    assert.deepEqual([error.code, error.delivered], ['DW_ERR_PEER_LOST', 'unknown']);
    assert.ok(Date.now() - began < 1500, `${Date.now() - began} ms`);
  });

  test('the workers come back with their own broker, started again under its id, where it was alone', async (t) => {
    const [a] = await members(t, ['alone']);
    const id = await a.call('create', 'Room', recoverable);
    await a.kill();
    const again = await until(
      'the id of the killed broker is free again',
      () => Member.start(t, 'alone', option()).catch(() => null),
      RECOVERY_MS
    );
    assert.equal((await until(`${id} answers`, () => again.call('ask', id, 'where'), RECOVERY_MS)).pid, again.pid);
  });

  test('a recoverable worker that is older than the ttl is not recovered', async (t) => {
    const [a, b] = await members(t, ['a', 'b'], { ttl: 1000 });
    const ids = [await b.call('create', 'Room', recoverable), await b.call('create', 'Room', recoverable)];
    const places = await Promise.all(ids.map((id) => b.call('ask', id, 'where')));
    const far = ids[places.findIndex(({ broker }) => broker === 'a')];
    await sleep(1100);
    await a.kill();
    await until(`${far} is known to be gone`, async () => (await b.call('find', far)) === false, RECOVERY_MS);
    assert.deepEqual((await b.call('journal')).filter(({ cause }) => cause === 1), []);
  });
});
