'use strict';

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const tls = require('node:tls');
const { inspect } = require('node:util');
const { normalizeBrokerOptions } = require('../lib/options');
const { assertCoreReads } = require('./options-core');

const SENTINEL = { name: 'm', nodes: [{ host: 'a', port: 26379 }], username: null, password: null, tls: null };
const TRUSTED_BY_NODE = 'what Node trusts';
const TLS = { ca: TRUSTED_BY_NODE, cert: null, key: null, servername: null, rejectUnauthorized: true };
const NOWHERE = { kind: 'redis', host: '127.0.0.1', port: 6379, path: null, username: null, password: null, db: 0, tls: null, sentinel: null, nodes: [] };

/** Hundreds of certificates as one word. */
function shortened(options) {
  return options && { ...options, ca: options.ca.includes(tls.rootCertificates[0]) ? TRUSTED_BY_NODE : options.ca };
}

function coordinatorOf(redis, env = {}) {
  const { config } = normalizeBrokerOptions('b', { redis }, env);
  assertCoreReads(config);
  const { coordinator } = config;
  if (coordinator.kind === 'memory') return coordinator;
  const sentinel = coordinator.sentinel && { ...coordinator.sentinel, tls: shortened(coordinator.sentinel.tls) };
  return { ...coordinator, tls: shortened(coordinator.tls), sentinel };
}

describe('option.redis', () => {
  const ACCEPTED = [
    ['redis://', {}],
    ['redis://h', { host: 'h' }],
    ['redis://h:7000', { host: 'h', port: 7000 }],
    ['redis://h:7000/', { host: 'h', port: 7000 }],
    ['redis:///2', { db: 2 }],
    ['redis://h?db=3', { host: 'h', db: 3 }],
    ['redis://[::1]:7000/1', { host: '::1', port: 7000, db: 1 }],
    ['redis://:pw@h', { host: 'h', password: 'pw' }],
    ['redis://user:p%40%2F%3A%25%23%3F@h:1/15', { host: 'h', port: 1, username: 'user', password: 'p@/:%#?', db: 15 }],
    ['rediss://u:p@h:7000/1', { host: 'h', port: 7000, username: 'u', password: 'p', db: 1, tls: TLS }],
    ['redis://a,b:7000', { host: 'a', nodes: [{ host: 'a', port: 6379 }, { host: 'b', port: 7000 }] }],
    ['rediss://u:p%40@a:1,[::1]:2/0', { host: 'a', port: 1, username: 'u', password: 'p@', tls: TLS, nodes: [{ host: 'a', port: 1 }, { host: '::1', port: 2 }] }],
    ['redis-sentinel://a/m', { sentinel: SENTINEL }],
    ['redis-sentinel://a,b:1,[::1]:2/m', { sentinel: { ...SENTINEL, nodes: [...SENTINEL.nodes, { host: 'b', port: 1 }, { host: '::1', port: 2 }] } }],
    ['redis-sentinel://u:p%40@a/m/3', { username: 'u', password: 'p@', db: 3, sentinel: SENTINEL }],
    ['redis-sentinel://:p@a/m?db=3', { password: 'p', db: 3, sentinel: SENTINEL }],
    ['redis-sentinel://a/m?sentinelUsername=u&sentinelPassword=p%26', { sentinel: { ...SENTINEL, username: 'u', password: 'p&' } }],
    ['rediss-sentinel://a/m', { tls: TLS, sentinel: { ...SENTINEL, tls: TLS } }],
    ['redis+unix:///tmp/a%20b.sock', { path: '/tmp/a b.sock' }],
    ['redis+unix:///tmp/a.sock?user=u&pass=p%26w&db=4', { path: '/tmp/a.sock', username: 'u', password: 'p&w', db: 4 }],
  ];
  for (const [url, parts] of ACCEPTED) {
    test(`takes the URL ${url}, as redis, as redis.url and from DWORKER_REDIS_URL`, () => {
      assert.deepEqual(coordinatorOf(url), { ...NOWHERE, ...parts });
      assert.deepEqual(coordinatorOf({ url }), { ...NOWHERE, ...parts });
      assert.deepEqual(coordinatorOf(undefined, { DWORKER_REDIS_URL: url }), { ...NOWHERE, ...parts });
    });
  }

  test('takes the schemes of Valkey for those of Redis, and URL objects', () => {
    for (const url of ['redis://u:p@h:7000/1', 'rediss://h', 'redis-sentinel://a/m', 'rediss-sentinel://a/m', 'redis+unix:///tmp/a.sock?db=4']) {
      assert.deepEqual(coordinatorOf(url.replace('redis', 'valkey')), coordinatorOf(url), url);
      assert.deepEqual(coordinatorOf({ url: url.replace('redis', 'valkey') }), coordinatorOf(url), url);
    }
    assert.deepEqual(coordinatorOf(new URL('redis://u:p%40@h:7000/1')), coordinatorOf('redis://u:p%40@h:7000/1'));
    assert.deepEqual(coordinatorOf({ url: new URL('valkey://h') }), { ...NOWHERE, host: 'h' });
  });

  const MISSPELT = [
    ['socket', { host: 'h' }, 'host, port, path and tls directly in redis'], ['uri', 'redis://h', 'url'], ['hostname', 'h', 'host'], ['user', 'u', 'username'],
    ['pass', 'p', 'password'], ['database', 1, 'db'], ['Host', 'h', 'host'], ['prot', 1, 'port'], ['passwrod', 'p', 'password'], ['sentinel', [], 'sentinels'],
    ['keyPrefix', 'x', 'ns of the broker'],
  ];
  for (const [key, value, meant] of MISSPELT) {
    test(`refuses ${key} and names ${meant}, instead of connecting to 127.0.0.1`, () => {
      const message = `Unknown option redis.${key}. Did you mean ${meant}?`;
      assert.throws(() => coordinatorOf({ [key]: value }), { code: 'DW_ERR_CONFIG', message });
      assert.throws(() => coordinatorOf({ url: 'redis://h', [key]: value }), { code: 'DW_ERR_CONFIG', message });
    });
  }

  test('refuses a key that resembles none, and a misspelt one of its TLS', () => {
    assert.throws(() => coordinatorOf({ lazyConnect: true }), { code: 'DW_ERR_CONFIG', message: /^Unknown option redis\.lazyConnect\. Known are url, host, port, .+, sub\.$/ });
    const message = 'Unknown option redis.tls.rejectUnauthorised. Did you mean redis.tls.rejectUnauthorized?';
    assert.throws(() => coordinatorOf({ tls: { rejectUnauthorised: false } }), { code: 'DW_ERR_CONFIG', message });
    assert.deepEqual(coordinatorOf({ tls: { minVersion: 'TLSv1.2' } }).tls, TLS);
  });

  test('refuses a client object that puts a prefix before its keys', () => {
    const isReady = { isCluster: false };
    for (const pub of [{ ...isReady, options: { host: 'h', keyPrefix: 'app:' } }, { connection_options: { host: 'h' }, options: { prefix: 'app:' } }]) {
      assert.throws(() => coordinatorOf({ pub }), { code: 'DW_ERR_CONFIG', message: /^Expected a client object without a key prefix for redis\.pub .+ set option\.ns/ });
    }
    assert.deepEqual(coordinatorOf({ pub: { ...isReady, options: { host: 'h', keyPrefix: '' } } }), { ...NOWHERE, host: 'h' });
  });

  test('takes memory:// with and without a name', () => {
    assert.deepEqual(coordinatorOf('memory://'), { kind: 'memory', name: '' });
    assert.deepEqual(coordinatorOf('memory://Demo-1.x_~'), { kind: 'memory', name: 'Demo-1.x_~' });
    assert.deepEqual(coordinatorOf({ url: 'memory://a/' }), { kind: 'memory', name: 'a' });
  });

  test('takes host, port, path, username, password and db; ports and databases as digits too', () => {
    assert.deepEqual(coordinatorOf({ host: '[fe80::1]', port: '7000', db: '3' }), { ...NOWHERE, host: 'fe80::1', port: 7000, db: 3 });
    assert.deepEqual(coordinatorOf({ path: '/tmp/x', username: 'u', password: 'p' }), { ...NOWHERE, path: '/tmp/x', username: 'u', password: 'p' });
  });

  test('takes username, password and db beside a URL, and they go before its own', () => {
    const redis = { url: 'redis://a:b@h/1', username: 'u', password: 'p', db: 2 };
    assert.deepEqual(coordinatorOf(redis), { ...NOWHERE, host: 'h', username: 'u', password: 'p', db: 2 });
    assert.deepEqual(coordinatorOf({ url: 'redis://a:b@h/1', db: 0 }), { ...NOWHERE, host: 'h', username: 'a', password: 'b', db: 0 });
  });

  test('takes null for none, an empty password for none', () => {
    const redis = { url: null, host: null, port: null, path: null, username: null, password: '', db: null, pub: null, sub: null, tls: false, sentinels: null };
    assert.deepEqual(coordinatorOf(redis), NOWHERE);
  });

  test('that is given, be it empty, goes before DWORKER_REDIS_URL; an empty variable is none', () => {
    assert.deepEqual(coordinatorOf({}, { DWORKER_REDIS_URL: 'redis://h' }), NOWHERE);
    assert.deepEqual(coordinatorOf('memory://', { DWORKER_REDIS_URL: 'redis://h' }), { kind: 'memory', name: '' });
    assert.deepEqual(coordinatorOf(undefined, { DWORKER_REDIS_URL: '' }), NOWHERE);
  });

  test('takes sentinels with a name, and their accounts and TLS apart from those of Redis', () => {
    const redis = { sentinels: [{ host: 'a' }, { host: '[::1]', port: '7' }], name: 'm', password: 'p', sentinelUsername: 'u', sentinelPassword: 'q' };
    const nodes = [...SENTINEL.nodes, { host: '::1', port: 7 }];
    assert.deepEqual(coordinatorOf(redis), { ...NOWHERE, password: 'p', sentinel: { ...SENTINEL, nodes, username: 'u', password: 'q' } });
    assert.deepEqual(coordinatorOf({ url: 'redis-sentinel://a/m?sentinelPassword=x', sentinelPassword: 'q', tls: true, sentinelTls: false }), {
      ...NOWHERE,
      tls: TLS,
      sentinel: { ...SENTINEL, password: 'q' },
    });
  });

  test('refuses sentinels that say too little', () => {
    const cases = [
      [{ sentinels: [], name: 'm' }, /^Expected an array of 1 to 64 objects \{host, port\} for redis\.sentinels but/],
      [{ sentinels: 'a:1', name: 'm' }, /for redis\.sentinels but received "a:1" of type string$/],
      [{ sentinels: ['a:1'], name: 'm' }, /^Expected an object for redis\.sentinels\[0\] but/],
      [{ sentinels: [{ port: 1 }], name: 'm' }, /for redis\.sentinels\[0\]\.host but/],
      [{ sentinels: [{ host: 'a', port: 0 }], name: 'm' }, /for redis\.sentinels\[0\]\.port but/],
      [{ sentinels: [{ host: 'a' }] }, /the sentinels' name of the master: .+ for redis\.name but received undefined/],
      [{ sentinels: [{ host: 'a' }], name: 'm', host: 'h' }, /nothing beside redis\.sentinels for redis\.host but/],
    ];
    for (const [redis, message] of cases) assert.throws(() => coordinatorOf(redis), { code: 'DW_ERR_CONFIG', message });
  });

  test('takes nodes of a cluster, and refuses what does not fit them', () => {
    assert.deepEqual(coordinatorOf({ nodes: [{ host: 'a', port: '7' }, { host: '[::1]' }], password: 'p' }), {
      ...NOWHERE, host: 'a', port: 7, password: 'p', nodes: [{ host: 'a', port: 7 }, { host: '::1', port: 6379 }],
    });
    const cases = [
      [{ nodes: [] }, /^Expected an array of 1 to 64 objects \{host, port\} for redis\.nodes but/],
      [{ nodes: ['a:1'] }, /^Expected an object for redis\.nodes\[0\] but/],
      [{ nodes: [{ port: 1 }] }, /for redis\.nodes\[0\]\.host but/],
      [{ nodes: [{ host: 'a' }], host: 'h' }, /nothing beside redis\.nodes for redis\.host but/],
      [{ nodes: [{ host: 'a' }], db: 1 }, /one database\) for redis\.db but received 1/],
      ['redis://a,b/1', /one database\) for redis\.db but received 1/],
      [{ url: 'redis://a,b/1' }, /one database\) for redis\.db but received 1/],
    ];
    for (const [redis, message] of cases) assert.throws(() => coordinatorOf(redis), { code: 'DW_ERR_CONFIG', message });
  });

  test('takes cluster, which changes nothing, and refuses another database beside it', () => {
    assert.deepEqual(coordinatorOf({ url: 'redis://h', cluster: true }), { ...NOWHERE, host: 'h' });
    assert.throws(() => coordinatorOf({ cluster: true, db: 1 }), { code: 'DW_ERR_CONFIG', message: /one database\) for redis\.db but received 1/ });
    assert.throws(() => coordinatorOf({ cluster: [{ host: 'h' }] }), { code: 'DW_ERR_CONFIG', message: /true or false for redis\.cluster but/ });
  });

  test('refuses two places at once', () => {
    const client = { connectionOption: { host: 'h', port: 1 } };
    for (const redis of [{ url: 'redis://h', host: 'h' }, { url: 'redis://h', port: 1 }, { url: 'memory://', path: '/x' }, { url: 'redis://h', pub: client }, { path: '/x', sub: client }]) {
      assert.throws(() => coordinatorOf(redis), { code: 'DW_ERR_CONFIG', message: /^Expected nothing beside redis\..+ for redis\.\w+ but received \(hidden\) of type (string|number)$/ });
    }
  });

  test('ignores host and port beside client objects, as the original did', () => {
    const redis = { host: 'elsewhere', port: 9, pub: { connectionOption: { host: 'h', port: 1 } } };
    assert.deepEqual(coordinatorOf(redis), { ...NOWHERE, host: 'h', port: 1 });
  });

  test('refuses a client object in its own place', () => {
    assert.throws(() => coordinatorOf({ quit() {}, options: {} }), { code: 'DW_ERR_CONFIG', message: /a client object belongs in redis\.pub\) for redis but received \[object Object\] of type object$/ });
  });

  const REFUSED_URLS = [
    'localhost:6379', 'http://h', 'redis:/h', 'redis//h', 'REDIS://h', 'redis://h:99999', 'redis://h:x', 'redis://h/x', 'redis://h/-1', 'redis://h/1.5',
    'redis://h/99999999999', 'redis://h?db=x', 'redis://h#1', 'redis://%zz@h', 'redis://u:%zz@h', 'redis+unix://tmp/x', 'redis+unix://u:p@/x', 'redis+unix://', 'redis+unix:///',
    'redis://a,', 'redis://,a', 'redis://a,b:x', 'redis://a,b:99999', 'redis://a,b/x', 'redis-sentinel://', 'redis-sentinel://a', 'redis-sentinel://a/', 'redis-sentinel:///m', 'redis-sentinel://a,/m', 'redis-sentinel://a:x/m', 'redis-sentinel://a:99999/m',
    'redis-sentinel://a/m/x', 'redis-sentinel://a/m/1/2', 'redis-sentinel://a/m#', 'redis-sentinel://%zz@a/m', 'redis-sentinel://a/m m', 'rediss://h:x', 'rediss://h/x',
    'redis+unix:///a%00b', 'redis+unix:///x?db=y', 'memory:', 'memory://a b', 'memory://a/b', 'memory://u:p@h', `memory://${'x'.repeat(129)}`, 'constructor://', '://',
  ];
  for (const url of REFUSED_URLS) {
    test(`refuses the URL ${url.slice(0, 40)}`, () => {
      for (const [redis, env] of [[url, {}], [{ url }, {}], [undefined, { DWORKER_REDIS_URL: url }]]) {
        assert.throws(() => coordinatorOf(redis, env), { code: 'DW_ERR_CONFIG', message: /^Expected .+ for (redis|redis\.url|DWORKER_REDIS_URL)[\w.[\]]* but received .+ of type (string|undefined)$/ });
      }
    });
  }
});

test('no error of the options shows a password, wherever it is', () => {
  const secret = 'hunter2';
  const wrongs = [
    `redis://:${secret}@h:x`, `redis://:${secret}@h/x`, `redis://user:1/${secret}@h`, `redis://user:1/${secret}?@h`, `redis://u:${secret}#@h`, `http://:${secret}@h`,
    `:${secret}@h`, `redis://:${secret}%zz@h`, `redis+unix://${secret}@tmp/x`, `redis+unix:///x?pass=${secret}&db=x`, `memory://:${secret}@h`, secret,
    `redis-sentinel://:${secret}@h`, `redis-sentinel://u:1/${secret}@h`, `redis-sentinel://u:a/${secret}@h/m`, `redis-sentinel://:${secret}@h:x/m`,
    `redis-sentinel://h/m/x?sentinelPassword=${secret}`, `rediss://:${secret}@h:x`,
  ];
  const options = [
    ...wrongs.flatMap((url) => [{ redis: url }, { redis: { url } }]),
    ...wrongs.slice(0, 6).map((host) => ({ redis: { host, password: secret } })),
    { redis: [secret] },
    { redis: { password: { secret } } },
    { redis: { password: [secret] } },
    { redis: { username: 1, password: secret } },
    { redis: { url: `redis://:${secret}@h`, host: 'h' } },
    { redis: { url: { href: secret } } },
    { redis: { tls: { key: secret, cert: secret } } },
    { redis: { tls: { ca: secret } } },
    { redis: { tls: { pfx: secret } } },
    { redis: { tls: secret } },
    { redis: { sentinels: [{ host: 'a' }], name: 'a b', sentinelPassword: secret } },
    { redis: { sentinels: [`redis://:${secret}@h`], name: 'm' } },
    { redis: { path: `/x\0redis://:${secret}@h` } },
    { redis: { password: `${secret}\ud800` } },
    { redis: { password: secret, db: 'x' } },
    { redis: { host: 'h', password: secret }, rpcTimeout: -1 },
    { redis: { pub: { password: secret, options: { password: secret } } } },
    { redis: { pub: { connectionOption: { host: 'a b' }, auth_pass: secret } } },
    { redis: { pub: { connectionOption: { host: 'a' }, auth_pass: secret }, sub: { connectionOption: { host: 'b' }, auth_pass: secret } } },
    { listen: { host: `redis://:${secret}@h` } },
    { ns: { secret } },
  ];
  const environments = wrongs.map((url) => ({ DWORKER_REDIS_URL: url }));
  const cases = [...options.map((option) => [option, {}]), ...environments.map((env) => [{}, env])];
  for (const [index, [option, env]] of cases.entries()) {
    assert.throws(() => normalizeBrokerOptions('b', option, env), (error) => {
      assert.equal(error.code, 'DW_ERR_CONFIG');
      assert.ok(!inspect(error, { depth: 9, showHidden: true }).includes(secret), `case ${index}: ${error.message}`);
      return true;
    }, `case ${index}`);
  }
});
