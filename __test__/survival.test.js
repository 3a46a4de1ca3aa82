'use strict';

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { Member } = require('./helpers/members');
const { freePort, startRedis } = require('./helpers/redis-server');
const { rejection, until } = require('./helpers/wait');

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

  test('of a living program is refused to a second one, which harms nobody', async (t) => {
    const [a] = await members(t, ['fixed']);
    const id = await a.call('create', 'Room');
    const error = await rejection(Member.start(t, 'fixed', option()));
    assert.equal(error.code, 'DW_ERR_BROKER_ID_IN_USE');
    assert.equal((await a.call('ask', id, 'where')).pid, a.pid);
  });
});
