'use strict';

const assert = require('node:assert/strict');
const { hostname } = require('node:os');
const { describe, test } = require('node:test');
const Bluebird = require('bluebird');
const { normalizeBrokerOptions, normalizeRouterOptions } = require('../lib/options');
const { version } = require('../package.json');
const { assertCoreReads } = require('./options-core');

const DEFAULTS = {
  id: 'b',
  ns: 'dw',
  clustername: 'main',
  coordinator: { kind: 'redis', host: '127.0.0.1', port: 6379, path: null, username: null, password: null, db: 0, tls: null, sentinel: null, nodes: [] },
  listen: null,
  advertise: null,
  rpcTimeout: 3000,
  ttl: 0,
  routes: { max: 1000, maxAge: 30000 },
  retries: { initialInterval: 40, maxInterval: 800, duration: 2000 },
  sockets: 'loop',
  localSockets: true,
  socketTimeout: 15000,
  maxPeers: 4096,
  healthCheckInterval: 1000,
  lease: { ttl: 5000, renew: 500, strict: false },
  onRedisLoss: 'suspend',
  stall: { after: 30000, action: 'report' },
  maxMessageBytes: 16777216,
  destroyTimeout: 5000,
};

function configOf(option, env = {}) {
  const { config } = normalizeBrokerOptions('b', option, env);
  assertCoreReads(config);
  const { process: own, ...chosen } = config;
  assert.deepEqual(own, { host: hostname(), pid: process.pid, version });
  return chosen;
}

function refused(option, env = {}) {
  try {
    normalizeBrokerOptions('b', option, env);
  } catch (error) {
    assert.equal(error.code, 'DW_ERR_CONFIG', error.stack);
    assert.equal(error.delivered, 'no');
    assert.ok(error instanceof Error);
    return error.message;
  }
  return assert.fail('was accepted');
}

describe('the options of a broker', () => {
  test('have the defaults of the API page', () => {
    for (const option of [undefined, null, {}, { redis: {} }, { redis: null, listen: null, advertise: null }]) {
      assert.deepEqual(configOf(option), DEFAULTS);
    }
  });

  test('come with bluebird promises and no client objects by default', () => {
    const { promise, pub, sub } = normalizeBrokerOptions('b', {}, {});
    assert.equal(promise, Bluebird);
    assert.deepEqual([pub, sub], [undefined, undefined]);
  });

  test('are all taken over', () => {
    const option = {
      ns: 'shop', clustername: 'rooms', rpcTimeout: 1000, ttl: 3600000, socTimeout: 0, healthCheckInterval: 2.5,
      brokerCache: { max: 10, maxAge: 20 }, retries: { initialInterval: 1, maxInterval: 2, duration: 3 },
      redis: { host: 'redis.local', port: 7000, username: 'app', password: 'pw', db: 2, tls: null, sentinel: null },
      listen: { host: '::', port: 0 }, advertise: { host: 'h.local', port: 9000 },
      lease: { ttl: 10000, renew: 1000, strict: true }, onRedisLoss: 'serve', stall: { after: 2000, action: 'abort' },
      maxMessageBytes: 65536, destroyTimeout: 100, batchReadSize: 7, sockets: 'task', localSockets: false, maxPeers: 64,
    };
    assert.deepEqual(configOf(option), {
      id: 'b', ns: 'shop', clustername: 'rooms', rpcTimeout: 1000, ttl: 3600000, socketTimeout: 0, healthCheckInterval: 2500,
      routes: { max: 10, maxAge: 20 }, retries: { initialInterval: 1, maxInterval: 2, duration: 3 },
      coordinator: { kind: 'redis', host: 'redis.local', port: 7000, path: null, username: 'app', password: 'pw', db: 2, tls: null, sentinel: null, nodes: [] },
      listen: { host: '::', port: 0 }, advertise: { host: 'h.local', port: 9000 },
      lease: { ttl: 10000, renew: 1000, strict: true }, onRedisLoss: 'serve', stall: { after: 2000, action: 'abort' },
      maxMessageBytes: 65536, destroyTimeout: 100, sockets: 'task', localSockets: false, maxPeers: 64,
    });
  });

  test('take the way of the sockets from the environment, unless it is given', () => {
    assert.equal(configOf({}, { DWORKER_SOCKETS: 'loop' }).sockets, 'loop');
    assert.equal(configOf({}, { DWORKER_SOCKETS: 'task' }).sockets, 'task');
    assert.equal(configOf({}, { DWORKER_SOCKETS: '' }).sockets, DEFAULTS.sockets);
    assert.equal(configOf({ sockets: 'task' }, { DWORKER_SOCKETS: 'loop' }).sockets, 'task');
    assert.match(refused({}, { DWORKER_SOCKETS: 'poll' }), /^Expected 'loop' or 'task' for DWORKER_SOCKETS but received "poll" of type string$/);
  });

  test('that are nested get their defaults field by field', () => {
    const config = configOf({
      brokerCache: { max: 5 }, retries: { duration: 9 }, lease: { ttl: 8000 }, redis: { port: 7001 }, listen: { port: 81 }, advertise: { host: '[::1]' },
    });
    assert.deepEqual(config.routes, { max: 5, maxAge: 30000 });
    assert.deepEqual(config.retries, { initialInterval: 40, maxInterval: 800, duration: 9 });
    assert.deepEqual(config.lease, { ttl: 8000, renew: 500, strict: false });
    assert.deepEqual([config.coordinator.host, config.coordinator.port], ['127.0.0.1', 7001]);
    assert.deepEqual(config.listen, { host: null, port: 81 });
    assert.deepEqual(config.advertise, { host: '::1', port: null });
  });

  test('that are not known are ignored and named, with what was probably meant; batchReadSize of any type is known', () => {
    assert.deepEqual(configOf({ batchReadSize: {}, colour: 'red', lease: { colour: 'red' } }), DEFAULTS);
    const mistakesOf = (option) => normalizeBrokerOptions('b', option, {}).mistakes;
    assert.deepEqual(mistakesOf({ rpcTimeOut: 1, lease: { tll: 1 }, retries: {}, batchReadSize: 1 }), [
      'Unknown option lease.tll. Did you mean ttl?', 'Unknown option rpcTimeOut. Did you mean rpcTimeout?',
    ]);
    assert.deepEqual(mistakesOf({ namespace: 'x', duration: 5, host: 'h', colour: 'red', none: undefined, nothing: null }), [
      'Unknown option namespace. Did you mean ns?', 'Unknown option duration. Did you mean retries.duration?',
      'Unknown option host. Did you mean listen.host or advertise.host?', 'Unknown option colour. See docs/reference/options.md.',
    ]);
    assert.deepEqual(mistakesOf({ stall: { colour: 'red' } }), ['Unknown option stall.colour. Known are after, action.']);
  });

  test('are never changed, deeply frozen ones are fine', () => {
    const freeze = (value) => Object.freeze(Object.assign(value, ...Object.entries(value).map(([key, part]) => ({ [key]: typeof part === 'object' ? freeze(part) : part }))));
    const option = freeze({ redis: { host: 'h', db: 1 }, retries: { duration: 1 }, lease: {}, brokerCache: { max: 2 }, listen: {}, advertise: {} });
    const text = JSON.stringify(option);
    configOf(option);
    assert.equal(JSON.stringify(option), text);
  });

  test('are looked at once each, so that a getter cannot change its mind', () => {
    const looks = {};
    const counted = (where, values) => new Proxy(values, {
      get(target, key) {
        looks[where + String(key)] = (looks[where + String(key)] ?? 0) + 1;
        return target[key];
      },
    });
    configOf(counted('', {
      redis: counted('redis.', { host: 'h', port: 1 }), lease: { ttl: 5000 }, retries: counted('retries.', { duration: 1 }),
      listen: counted('listen.', { port: 1 }), ns: 'n', promise: 'native',
    }));
    for (const [key, times] of Object.entries(looks)) if (key !== 'redis.quit') assert.equal(times, 1, key);
  });

  test('in fractions of their unit are rounded up to whole milliseconds', () => {
    const config = configOf({ rpcTimeout: 1000 / 3, healthCheckInterval: 0.0001, ttl: 0.5 });
    assert.deepEqual([config.rpcTimeout, config.healthCheckInterval, config.ttl], [334, 1, 1]);
  });

  test('switch the health check off by 0', () => {
    assert.equal(configOf({ healthCheckInterval: 0 }).healthCheckInterval, 0);
  });

  test('with a first retry beyond the default limit raise the limit', () => {
    assert.deepEqual(configOf({ retries: { initialInterval: 1500 } }).retries, { initialInterval: 1500, maxInterval: 1500, duration: 2000 });
  });

  test('take a broker id of unicode and of 512 bytes, none that is empty, longer or no text', () => {
    for (const id of ['ブローカー', '💡', 'x'.repeat(512), '0']) assert.equal(normalizeBrokerOptions(id, {}, {}).config.id, id);
    for (const id of ['', 'x'.repeat(513), 'é'.repeat(257), '\ud800', 7, null, undefined, {}, ['a']]) {
      assert.throws(() => normalizeBrokerOptions(id, {}, {}), { code: 'DW_ERR_CONFIG', message: /^Expected .+ for id but received .+ of type \w+$/ });
    }
  });

  test('take the environment of the process where none is given', (t) => {
    const before = process.env.DWORKER_REDIS_URL;
    t.after(() => {
      if (before === undefined) delete process.env.DWORKER_REDIS_URL;
      else process.env.DWORKER_REDIS_URL = before;
    });
    process.env.DWORKER_REDIS_URL = 'memory://from-the-environment';
    assert.deepEqual(normalizeBrokerOptions('b').config.coordinator, { kind: 'memory', name: 'from-the-environment' });
  });
});

describe('option.promise', () => {
  test('takes bluebird, native and a constructor', () => {
    class Own extends Promise {}
    const copy = Bluebird.getNewLibraryCopy();
    for (const [given, wanted] of [['bluebird', Bluebird], ['native', Promise], [Promise, Promise], [Own, Own], [copy, copy]]) {
      assert.equal(normalizeBrokerOptions('b', { promise: given }, {}).promise, wanted);
    }
  });
});

describe('option.lease', () => {
  test('may be as tight as two renewals before the last second, no tighter, and the message says why', () => {
    assert.deepEqual(configOf({ lease: { ttl: 3000, renew: 1000 } }).lease, { ttl: 3000, renew: 1000, strict: false });
    assert.match(refused({ lease: { ttl: 3000, renew: 1001 } }), /^Expected at most 1000 ms \(.+lose one renewal.+\) for lease\.renew but received 1001 of type number$/);
    assert.match(refused({ lease: { renew: 2001 } }), /^Expected at most 2000 ms .+ for lease\.renew but received 2001 of type number$/);
    assert.match(refused({ lease: { ttl: 1999 } }), /^Expected at least 2000 ms .+ for lease\.ttl but received 1999 of type number$/);
    assert.match(refused({ lease: { ttl: 1001, renew: 1 } }), /^Expected at least 1002 ms .+ for lease\.ttl but received 1001 of type number$/);
  });
});

describe('the options of a router', () => {
  test('are socTimeout alone, 30 s by default', () => {
    for (const none of [undefined, null]) assert.deepEqual(normalizeRouterOptions(none), { config: { socTimeout: 30000 }, mistakes: [] });
    const mistakes = ['Unknown option soctimeout. Did you mean socTimeout?'];
    assert.deepEqual(normalizeRouterOptions({ socTimeout: 0, soctimeout: 1 }), { config: { socTimeout: 0 }, mistakes });
    for (const wrong of [-1, '1', NaN, Infinity, null, {}]) {
      assert.throws(() => normalizeRouterOptions({ socTimeout: wrong }), { code: 'DW_ERR_CONFIG', message: /^Expected .+ for socTimeout but received .+ of type \w+$/ });
    }
    assert.throws(() => normalizeRouterOptions(7), { code: 'DW_ERR_CONFIG', message: 'Expected an object for option but received 7 of type number' });
  });
});
