'use strict';

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { Member } = require('./helpers/members');
const { freePort } = require('../support/ports');
const { startRedis } = require('../support/redis-server');
const { rejection, until } = require('../support/wait');

const recoverable = { attributes: { recoverable: true } };
/** Nobody lives to see such a lease run out. */
const PATIENT = { ttl: 600_000, renew: 500 };

let server;
let namespaces = 0;
before(async () => {
  server = await startRedis();
});
after(() => server.stop());

function option(more = {}) {
  return { redis: server.url, ns: `s${namespaces}`, lease: PATIENT, ...more };
}

async function members(t, ids, more) {
  namespaces += 1;
  return Promise.all(ids.map((id) => Member.start(t, id, option(more))));
}

describe('a broker id', () => {
  test('of a crashed program is free at once, and its workers are there again', async (t) => {
    const [a] = await members(t, ['fixed']);
    const id = await a.call('create', 'Room', recoverable);
    await a.kill();
    const again = await Member.start(t, 'fixed', option());
    assert.ok((await again.call('startedIn')) < 500, `${await again.call('startedIn')} ms`);
    const place = await until(`${id} answers`, () => again.call('ask', id, 'where'));
    assert.equal(place.pid, again.pid);
  });

  test('of a crashed program that listens on a fixed port is free at once', async (t) => {
    const listen = { host: '127.0.0.1', port: await freePort() };
    const [a] = await members(t, ['fixed'], { listen });
    await a.kill();
    const again = await Member.start(t, 'fixed', option({ listen }));
    assert.ok((await again.call('startedIn')) < 500, `${await again.call('startedIn')} ms`);
  });

  test('of a running program is refused to a second one, and the first is not disturbed', async (t) => {
    const [a] = await members(t, ['fixed']);
    const id = await a.call('create', 'Room');
    const error = await rejection(Member.start(t, 'fixed', option()));
    assert.equal(error.code, 'DW_ERR_BROKER_ID_IN_USE');
    assert.equal((await a.call('ask', id, 'where')).pid, a.pid);
  });
});

describe('the registry', () => {
  const COUNT = 200;
  /** Redis is back, and one renewal (500 ms) finds out that it knows nothing. */
  const WHOLE_MS = 1500;

  /** Three brokers and their workers; every one of them is known to `a`. */
  async function populated(t, more) {
    const all = await members(t, ['a', 'b', 'c'], { lease: { ttl: 5000, renew: 500 }, ...more });
    const ids = await Promise.all(Array.from({ length: COUNT }, (_, n) => all[n % 3].call('create', 'Room', recoverable)));
    await Promise.all(ids.map((id) => all[0].call('ask', id, 'where')));
    return { all, ids };
  }

  /** Asks everybody, again and again; gives what failed. */
  function traffic(member, ids) {
    const failures = [];
    let going = true;
    let answers = 0;
    const loop = (async () => {
      for (let n = 0; going; n += 1) {
        await member.call('askKnown', ids[n % ids.length], 'where').then(
          () => (answers += 1),
          (error) => failures.push(`${error.code} ${error.message}`)
        );
      }
    })();
    return async () => {
      going = false;
      await loop;
      assert.ok(answers > 0);
      assert.deepEqual(failures, []);
    };
  }

  async function wholeAgain(all, ids, since) {
    const members = await until('every broker and worker stands again', async () => {
      const found = await Promise.all(ids.map((id) => all[1].call('find', id)));
      return found.every(Boolean);
    }, 10000);
    assert.ok(members);
    return Date.now() - since;
  }

  async function unharmed(all, ids) {
    for (const member of all) {
      assert.deepEqual(await member.call('states'), [1, 2]);
      assert.deepEqual(await member.call('deaths'), []);
      assert.ok((await member.call('journal')).every(({ what, cause }) => what === 'create' && cause === 0));
    }
    const id = await all[0].call('create', 'Room');
    assert.equal(id, `Room#${ids.length + 1}`);
  }

  test('is whole again after FLUSHALL, while asks between brokers that know each other flow', async (t) => {
    const { all, ids } = await populated(t);
    const end = traffic(all[0], ids);
    await server.command('FLUSHALL');
    const took = await wholeAgain(all, ids, Date.now());
    t.diagnostic(`whole after ${took} ms`);
    await end();
    await unharmed(all, ids);
  });

  test('that was emptied right after a broker joined lets that broker find the workers of the others', async (t) => {
    const [a] = await members(t, ['a']);
    await a.call('create', 'Room', { id: 'r', ...recoverable });
    const late = await Member.start(t, 'late', option());
    await server.command('FLUSHALL');
    await late.call('create', 'Room', { id: 'r', ...recoverable });
    assert.equal((await late.call('ask', 'r', 'where')).pid, a.pid);
    assert.equal((await a.call('journal')).length, 1, 'one instance was made');
  });

  test('is whole again after a restart of Redis that lost everything', async (t) => {
    const own = await startRedis();
    let again;
    t.after(() => Promise.all([own.stop(), again?.stop()]));
    const { all, ids } = await populated(t, { redis: own.url });
    const end = traffic(all[0], ids);
    await own.stop();
    again = await startRedis({ port: own.port });
    const took = await wholeAgain(all, ids, Date.now());
    t.diagnostic(`whole after ${took} ms`);
    assert.ok(took < WHOLE_MS + 1500, `${took} ms`);
    await end();
    await unharmed(all, ids);
  });
});
