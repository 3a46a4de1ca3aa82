'use strict';

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { after, before, describe, test } = require('node:test');
const tls = require('node:tls');
const { normalizeBrokerOptions } = require('../lib/options');
const { PACKAGES, load } = require('./redis-clients-packages');
const { PASSWORD, USER, startServer } = require('./redis-clients-server');

let server;
before(async () => {
  server = await startServer();
});
after(() => server?.stop());

/** Ways to connect, and the facts that must be read. */
const FORMS = {
  'by host and port with a password': {
    given: () => ({ host: '127.0.0.1', port: server.port, password: PASSWORD }),
    facts: () => ({ host: '127.0.0.1', port: server.port, path: null, username: null, password: PASSWORD, db: 0 }),
  },
  'by host and port with a password and a database': {
    given: () => ({ host: '127.0.0.1', port: server.port, password: PASSWORD, db: 3 }),
    facts: () => ({ host: '127.0.0.1', port: server.port, path: null, username: null, password: PASSWORD, db: 3 }),
  },
  'by a Unix socket with a password and a database': {
    given: () => ({ path: server.socket, password: PASSWORD, db: 5 }),
    facts: () => ({ path: server.socket, username: null, password: PASSWORD, db: 5 }),
  },
  'by a URL with a password and a database': {
    needs: 'urls',
    given: () => ({ url: `redis://:${encodeURIComponent(PASSWORD)}@127.0.0.1:${server.port}/4` }),
    facts: () => ({ host: '127.0.0.1', port: server.port, path: null, username: null, password: PASSWORD, db: 4 }),
  },
  'by a URL with a user': {
    needs: 'users',
    given: () => ({ url: `redis://${USER.name}:${encodeURIComponent(USER.password)}@127.0.0.1:${server.port}/6` }),
    facts: () => ({ host: '127.0.0.1', port: server.port, path: null, username: USER.name, password: USER.password, db: 6 }),
  },
  'by host and port with a user': {
    needs: 'users',
    given: () => ({ host: '127.0.0.1', port: server.port, username: USER.name, password: USER.password, db: 7 }),
    facts: () => ({ host: '127.0.0.1', port: server.port, path: null, username: USER.name, password: USER.password, db: 7 }),
  },
};

for (const kind of PACKAGES) {
  describe(`a client of ${kind.name}`, () => {
    for (const [form, { needs, given, facts }] of Object.entries(FORMS)) {
      if (needs && !kind[needs]) continue;

      test(`connected ${form} tells its server`, async (t) => {
        const client = await openReady(t, kind, given());
        const { coordinator } = normalizeBrokerOptions('b', { redis: { pub: client } }, {}).config;
        assertFacts(coordinator, facts());
        await assertSameAsServerSays(kind, client, coordinator);
        await assertReaches(t, coordinator, kind, client);
      });

      test(`connected ${form} tells its server before it is connected`, async (t) => {
        const client = await open(t, kind, given());
        const { coordinator } = normalizeBrokerOptions('b', { redis: { sub: client } }, {}).config;
        assertFacts(coordinator, facts());
        await kind.ready(client);
      });
    }

    test('is handed back itself, and reading it leaves it as it was', async (t) => {
      const pub = await openReady(t, kind, FORMS['by host and port with a password'].given());
      const sub = await openReady(t, kind, FORMS['by host and port with a password'].given());
      let heard;
      const message = new Promise((resolve) => { heard = resolve; });
      await kind.subscribe(sub, 'channel', heard);
      const stateBefore = [state(pub), state(sub)];
      const connectionsBefore = await connectionsSoFar(kind, pub);

      const normalized = normalizeBrokerOptions('b', { redis: { pub, sub } }, {});

      assert.equal(normalized.pub, pub);
      assert.equal(normalized.sub, sub);
      assert.deepEqual([state(pub), state(sub)], stateBefore);
      assert.equal(await connectionsSoFar(kind, pub), connectionsBefore);
      await kind.call(pub, 'PUBLISH', 'channel', 'still here');
      assert.equal(await message, 'still here');
    });

    test('in the same place as the other one is accepted, a subscriber without database too', async (t) => {
      const pub = await openReady(t, kind, { ...FORMS['by host and port with a password and a database'].given() });
      const sub = await openReady(t, kind, FORMS['by host and port with a password'].given());
      assert.equal(normalizeBrokerOptions('b', { redis: { pub, sub } }, {}).config.coordinator.db, 3);
    });

    test('on another server or database than the other one is refused without a password in the message', async (t) => {
      const pub = await openReady(t, kind, FORMS['by host and port with a password and a database'].given());
      const elsewhere = await openReady(t, kind, FORMS['by a Unix socket with a password and a database'].given());
      const otherDatabase = await openReady(t, kind, { ...FORMS['by host and port with a password and a database'].given(), db: 2 });
      for (const sub of [elsewhere, otherDatabase]) {
        assert.throws(() => normalizeBrokerOptions('b', { redis: { pub, sub } }, {}), (error) => {
          assert.equal(error.code, 'DW_ERR_CONFIG');
          assert.match(error.message, /^Expected redis\.sub to be connected to the same server as redis\.pub \(localhost port \d+ db 3\) but it is connected to /);
          assert.ok(!error.message.includes(PASSWORD));
          return true;
        });
      }
    });
  });
}

for (const name of ['redis-0.12', 'redis-2', 'redis-3', 'ioredis-5', 'ioredis-6']) {
  test(`the database of the last select() of ${name} counts`, async (t) => {
    const kind = PACKAGES.find((each) => each.name === name);
    const client = await openReady(t, kind, FORMS['by host and port with a password'].given());
    await client.select(8);
    await kind.call(client, 'PING');
    const { coordinator } = normalizeBrokerOptions('b', { redis: { pub: client } }, {}).config;
    assert.equal(coordinator.db, 8);
    await assertSameAsServerSays(kind, client, coordinator);
  });
}

describe('a client object that cannot be read', () => {
  const REFUSED = {
    'a cluster of redis 4': () => load('redis-4').createCluster({ rootNodes: [{ url: 'redis://127.0.0.1:1' }] }),
    'a cluster of redis 5': () => load('redis-5').createCluster({ rootNodes: [{ url: 'redis://127.0.0.1:1' }] }),
    'a cluster of redis 6': () => load('redis-6').createCluster({ rootNodes: [{ url: 'redis://127.0.0.1:1' }] }),
    'a pool of redis 5': () => load('redis-5').createClientPool({ url: 'redis://127.0.0.1:1' }),
    'a pool of redis 6': () => load('redis-6').createClientPool({ url: 'redis://127.0.0.1:1' }),
    'a sentinel of redis 5': () => load('redis-5').createSentinel({ name: 'm', sentinelRootNodes: [{ host: '127.0.0.1', port: 1 }] }),
    'a sentinel of redis 6': () => load('redis-6').createSentinel({ name: 'm', sentinelRootNodes: [{ host: '127.0.0.1', port: 1 }] }),
    'a cluster of ioredis 5': () => new (load('ioredis-5').Cluster)([{ host: '127.0.0.1', port: 1 }], { lazyConnect: true }),
    'a cluster of ioredis 6': () => new (load('ioredis-6').Cluster)([{ host: '127.0.0.1', port: 1 }], { lazyConnect: true }),
    'an object of another kind': () => ({ options: { host: 'h' }, quit() {} }),
    'a string': () => 'redis://127.0.0.1',
  };
  for (const [what, make] of Object.entries(REFUSED)) {
    test(`is refused: ${what}`, () => {
      const client = make();
      assert.throws(() => normalizeBrokerOptions('b', { redis: { pub: client } }, {}), {
        code: 'DW_ERR_CONFIG',
        message: /^Expected a client object of redis 0\.12 to 6 or ioredis that names its server \(no pool or cluster, no sentinel of redis 5 and 6\) for redis\.pub but received .+ of type (object|string)$/,
      });
    });
  }

  for (const name of ['redis-5', 'redis-6']) {
    test(`needs the password beside it: ${name} with a credentials provider`, () => {
      const credentials = async () => ({ username: USER.name, password: USER.password });
      const client = load(name).createClient({ credentialsProvider: { type: 'async-credentials-provider', credentials } });
      assert.throws(() => normalizeBrokerOptions('b', { redis: { pub: client } }, {}), {
        code: 'DW_ERR_CONFIG',
        message: /^Expected redis\.username and redis\.password beside redis\.pub/,
      });
      const redis = { pub: client, username: USER.name, password: USER.password };
      const { coordinator } = normalizeBrokerOptions('b', { redis }, {}).config;
      assert.deepEqual(coordinator, { kind: 'redis', host: 'localhost', port: 6379, path: null, username: USER.name, password: USER.password, db: 0, tls: null, sentinel: null, nodes: [] });
    });
  }
});

describe('a client object that uses TLS or sentinels', () => {
  const PEM = tls.rootCertificates[0];
  const OVER_TLS = {
    'redis-2': (redis) => redis.createClient({ port: server.port, tls: { ca: PEM } }),
    'redis-3': (redis) => redis.createClient(`rediss://127.0.0.1:${server.port}`, { tls: { ca: PEM } }),
    'redis-4': (redis) => redis.createClient({ url: 'rediss://127.0.0.1', socket: { ca: PEM } }),
    'redis-5': (redis) => redis.createClient({ socket: { host: '127.0.0.1', tls: true, ca: [PEM] } }),
    'redis-6': (redis) => redis.createClient({ url: 'rediss://127.0.0.1', socket: { ca: Buffer.from(PEM) } }),
    'ioredis-5': (Redis) => new Redis('rediss://127.0.0.1', { lazyConnect: true, tls: { ca: PEM } }),
    'ioredis-6': (Redis) => new Redis({ tls: { ca: PEM }, lazyConnect: true }),
  };
  for (const [name, make] of Object.entries(OVER_TLS)) {
    test(`tells whom it trusts: ${name}`, (t) => {
      const client = make(load(name));
      client.on('error', () => {});
      t.after(() => client.end?.(true));
      const { coordinator } = normalizeBrokerOptions('b', { redis: { sub: client } }, {}).config;
      assert.deepEqual(coordinator.tls, { ca: [PEM], cert: null, key: null, servername: null, rejectUnauthorized: true });
    });
  }

  for (const name of ['ioredis-5', 'ioredis-6']) {
    test(`tells its sentinels: ${name}`, () => {
      const Redis = load(name);
      const sentinels = { sentinels: [{ host: '127.0.0.1', port: 1 }], name: 'm', sentinelPassword: 's', lazyConnect: true };
      const sentinel = { name: 'm', nodes: [{ host: '127.0.0.1', port: 1 }], username: null, password: 's', tls: null };
      const of = (option) => normalizeBrokerOptions('b', { redis: { pub: new Redis({ ...sentinels, ...option }) } }, {}).config.coordinator;
      assert.deepEqual([of({}).sentinel, of({}).tls], [sentinel, null]);
      // its own rule: without the last option TLS is for nobody
      assert.equal(of({ tls: { ca: PEM } }).tls, null);
      assert.deepEqual(of({ tls: { ca: PEM }, enableTLSForSentinelMode: true }).tls.ca, [PEM]);
      for (const option of [{ role: 'slave' }, { natMap: {} }]) assert.throws(() => of(option), { code: 'DW_ERR_CONFIG', message: /with role "slave" or with natMap/ });
    });
  }
});

async function open(t, kind, given) {
  const client = await kind.open(load(kind.name), given);
  t.after(() => kind.close(client));
  return client;
}

async function openReady(t, kind, given) {
  const client = await open(t, kind, given);
  await kind.ready(client);
  // a select() of redis 0.12 that still waits is answered before this
  await kind.call(client, 'PING');
  return client;
}

function assertFacts(coordinator, facts) {
  for (const [key, value] of Object.entries(facts)) assert.equal(coordinator[key], value, key);
}

/** The server's own word for the connection of the client. */
async function assertSameAsServerSays(kind, client, coordinator) {
  const info = Object.fromEntries(String(await kind.call(client, 'CLIENT', 'INFO')).trim().split(' ').map((pair) => pair.split(/=(.*)/)));
  assert.equal(Number(info.db), coordinator.db);
  assert.equal(info.user, coordinator.username ?? 'default');
  assert.equal(info.laddr, coordinator.path ? `${coordinator.path}:0` : `${coordinator.host}:${coordinator.port}`);
}

/** A second connection, opened from what was read alone, finds what the client wrote. */
async function assertReaches(t, { kind: _, ...facts }, kind, client) {
  const key = `written by ${kind.name}`;
  await kind.call(client, 'SET', key, 'found');
  const own = new (load('ioredis-5'))(facts);
  t.after(() => own.disconnect());
  await once(own, 'ready');
  assert.equal(await own.get(key), 'found');
}

async function connectionsSoFar(kind, client) {
  return /total_connections_received:(\d+)/.exec(String(await kind.call(client, 'INFO', 'stats')))[1];
}

/** What could show a trace of reading: options, listeners, own properties. */
function state(client) {
  const text = (value) => JSON.stringify(value, (key, part) => (key === 'modules' ? undefined : part));
  return {
    options: [client.options, client.connectionOption, client.connection_options].map(text),
    listeners: client.eventNames().map((name) => [String(name), client.listenerCount(name)]),
    keys: Object.getOwnPropertyNames(client),
  };
}
