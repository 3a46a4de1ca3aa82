'use strict';

const assert = require('node:assert/strict');
const { createHash, randomInt } = require('node:crypto');
const { describe, test } = require('node:test');
const { normalizeBrokerOptions } = require('../lib/options');
const { BROKER, REDIS } = require('../lib/options/table');
const { assertCoreReads } = require('./options-core');

const FORM = /^Expected .+ for [\w.]+ but received .+ of type (string|number|bigint|boolean|symbol|function|object|undefined)$/s;
const CASES = 4000;

/** Wrong for every option. */
const NEVER = {
  true: true, false: false, NaN, Infinity, '-Infinity': -Infinity, '-1': -1, 'a bigint': 1n, 'a symbol': Symbol('s'),
  'an empty array': [], 'an array': [1], 'a function': () => {}, 'an empty string': '', 'a lone surrogate': '\ud800',
};
const TEXTS = { 'a text': 'text', 'a number as text': '12x', 'a space': ' ' };
const NUMBERS = { 0.5: 0.5, 7: 7, '2 ** 53': 2 ** 53, '1e300': 1e300 };
const OBJECTS = { 'an empty object': {}, 'a date': new Date(0), 'a map': new Map() };
const NULL = { null: null };
const tooHigh = { '1e300': 1e300 };
const numbersAreWrong = { ...NUMBERS, 0: 0 };

/** option → what else is wrong for it, and what of NEVER it does take */
const OPTIONS = {
  ns: { wrong: { ...numbersAreWrong, ...OBJECTS, ...NULL, 'a long text': 'x'.repeat(257) } },
  clustername: { wrong: { ...numbersAreWrong, ...OBJECTS, ...NULL, 'a long text': 'é'.repeat(129) } },
  rpcTimeout: { wrong: { ...TEXTS, ...OBJECTS, ...NULL, ...tooHigh, 0: 0 } },
  ttl: { wrong: { ...TEXTS, ...OBJECTS, ...NULL, ...tooHigh } },
  sockets: { wrong: { ...TEXTS, ...OBJECTS, ...NULL, ...NUMBERS } },
  socTimeout: { wrong: { ...TEXTS, ...OBJECTS, ...NULL, ...tooHigh } },
  maxPeers: { wrong: { ...TEXTS, ...OBJECTS, ...NULL, ...tooHigh, 0.5: 0.5, 0: 0, 'more than descriptors': 262145 } },
  healthCheckInterval: { wrong: { ...TEXTS, ...OBJECTS, ...NULL, ...tooHigh } },
  destroyTimeout: { wrong: { ...TEXTS, ...OBJECTS, ...NULL, ...tooHigh, 0: 0 } },
  maxMessageBytes: { wrong: { ...TEXTS, ...OBJECTS, ...NULL, ...numbersAreWrong, 'more than an outbox': 2 ** 26 + 1 } },
  brokerCache: { wrong: { ...TEXTS, ...numbersAreWrong, ...NULL } },
  'brokerCache.max': { wrong: { ...TEXTS, ...OBJECTS, ...NULL, ...tooHigh, 0.5: 0.5, 0: 0 } },
  'brokerCache.maxAge': { wrong: { ...TEXTS, ...OBJECTS, ...NULL, ...tooHigh, 0: 0 } },
  retries: { wrong: { ...TEXTS, ...numbersAreWrong, ...NULL } },
  'retries.initialInterval': { wrong: { ...TEXTS, ...OBJECTS, ...NULL, ...tooHigh, 0: 0 } },
  'retries.maxInterval': { wrong: { ...TEXTS, ...OBJECTS, ...NULL, ...tooHigh, 0: 0 } },
  'retries.duration': { wrong: { ...TEXTS, ...OBJECTS, ...NULL, ...tooHigh } },
  lease: { wrong: { ...TEXTS, ...numbersAreWrong, ...NULL } },
  'lease.ttl': { wrong: { ...TEXTS, ...OBJECTS, ...NULL, ...tooHigh, 0: 0, 1999: 1999 } },
  'lease.renew': { wrong: { ...TEXTS, ...OBJECTS, ...NULL, ...tooHigh, 0: 0, 2001: 2001 } },
  'lease.strict': { wrong: { ...TEXTS, ...OBJECTS, ...NUMBERS, ...NULL, 0: 0 }, takes: ['true', 'false'] },
  onRedisLoss: { wrong: { ...TEXTS, ...OBJECTS, ...numbersAreWrong, ...NULL } },
  codec: { wrong: { ...TEXTS, ...OBJECTS, ...numbersAreWrong } },
  stall: { wrong: { ...TEXTS, ...numbersAreWrong, ...NULL } },
  'stall.after': { wrong: { ...TEXTS, ...OBJECTS, ...NULL, ...tooHigh, 1999: 1999 } },
  'stall.action': { wrong: { ...TEXTS, ...OBJECTS, ...numbersAreWrong, ...NULL } },
  promise: { wrong: { ...TEXTS, ...OBJECTS, ...numbersAreWrong, 'a class': class {} } },
  localSockets: { wrong: { ...TEXTS, ...OBJECTS, ...NUMBERS, ...NULL, 0: 0 }, takes: ['true', 'false'] },
  log: { wrong: { ...TEXTS, ...OBJECTS, ...numbersAreWrong, ...NULL }, takes: ['false', 'a function'] },
  listen: { wrong: { ...TEXTS, ...numbersAreWrong } },
  'listen.host': { wrong: { ...OBJECTS, ...numbersAreWrong, 'a space': ' ', 'a port too': 'h:1', 'a URL': 'tcp://h' } },
  'listen.port': { wrong: { ...TEXTS, ...OBJECTS, 0.5: 0.5, 65536: 65536, 'digits that are too high': '65536' } },
  advertise: { wrong: { ...TEXTS, ...numbersAreWrong } },
  'advertise.host': { wrong: { ...OBJECTS, ...numbersAreWrong, 'a space': ' ', 'a port too': '::1]:1' } },
  'advertise.port': { wrong: { ...TEXTS, ...OBJECTS, 0: 0, 65536: 65536 } },
  redis: { wrong: { ...TEXTS, ...numbersAreWrong } },
  'redis.url': { wrong: { ...TEXTS, ...OBJECTS, ...numbersAreWrong } },
  'redis.host': { wrong: { ...OBJECTS, ...numbersAreWrong, 'a space': ' ', 'a port too': 'h:1' } },
  'redis.port': { wrong: { ...TEXTS, ...OBJECTS, 0: 0, 0.5: 0.5, 65536: 65536, 'negative digits': '-1' } },
  'redis.path': { wrong: { ...OBJECTS, ...numbersAreWrong, 'a NUL': 'a\0b' } },
  'redis.username': { wrong: { ...OBJECTS, ...numbersAreWrong }, takes: ['an empty string'] },
  'redis.password': { wrong: { ...OBJECTS, ...numbersAreWrong }, takes: ['an empty string'] },
  'redis.db': { wrong: { ...TEXTS, ...OBJECTS, 0.5: 0.5, '2 ** 31': 2 ** 31 } },
  'redis.cluster': { wrong: { ...TEXTS, ...OBJECTS, ...NUMBERS, 0: 0 }, takes: ['true', 'false'] },
  'redis.pub': { wrong: { ...TEXTS, ...OBJECTS, ...numbersAreWrong } },
  'redis.sub': { wrong: { ...TEXTS, ...OBJECTS, ...numbersAreWrong } },
};

function optionWith(name, value) {
  return name.split('.').reduceRight((inner, key) => ({ [key]: inner }), value);
}

/** Full names of the options that a table checks by itself. */
function checkedIn(table, prefix = '') {
  return Object.entries(table).flatMap(([key, { check, group }]) => {
    if (group !== undefined) return checkedIn(group, `${prefix}${key}.`).concat(check === undefined ? [] : [prefix + key]);
    return check === undefined ? [] : [prefix + key];
  });
}

test('every option that has a check in the tables has wrong values here', () => {
  // The account on the sentinels is read only where there are sentinels.
  const names = [...checkedIn(BROKER), ...checkedIn(REDIS, 'redis.')].filter((name) => !name.startsWith('redis.sentinel'));
  assert.ok(names.length > 30);
  assert.deepEqual(names.filter((name) => !Object.hasOwn(OPTIONS, name)), []);
});

describe('a wrong value', () => {
  for (const [name, { wrong, takes = [] }] of Object.entries(OPTIONS)) {
    test(`for ${name} is refused in the one form of message`, () => {
      for (const [what, value] of Object.entries({ ...NEVER, ...wrong })) {
        if (takes.includes(what)) continue;
        assert.throws(() => normalizeBrokerOptions('b', optionWith(name, value), {}), (error) => {
          assert.equal(error.code, 'DW_ERR_CONFIG', `${what}: ${error.stack}`);
          assert.match(error.message, FORM, what);
          assert.ok(error.message.includes(` for ${name} but received `), `${what}: ${error.message}`);
          assert.ok(error.message.endsWith(` of type ${typeof value}`), `${what}: ${error.message}`);
          assert.ok(error.message.length < 400, `${what}: a message is short`);
          return true;
        }, what);
      }
    });
  }

  test('for the option object itself is refused, null is none', () => {
    for (const wrong of [7, 'x', true, Symbol('s'), [], () => {}]) {
      assert.throws(() => normalizeBrokerOptions('b', wrong, {}), { code: 'DW_ERR_CONFIG', message: /^Expected an object for option but received .+ of type \w+$/ });
    }
  });
});

test('any option object is refused in the one form, or gives what the core reads', () => {
  const seed = Number(process.env.TEST_SEED ?? randomInt(2 ** 31));
  console.log(`# TEST_SEED=${seed}`);
  const random = generator(seed);
  const pick = (list) => list[Math.floor(random() * list.length)];
  const values = [
    ...Object.values({ ...NEVER, ...TEXTS, ...NUMBERS, ...OBJECTS }), null, undefined, 0, 1, 1500, 2000, 4096, 65535, '7000', 'localhost', '::1',
    'redis://h:1/2', 'memory://', 'native', Promise, { connectionOption: { path: '/x' } }, { connection_options: { host: 'h', port: '1' }, selected_db: '3' },
  ];
  const seen = { accepted: 0, refused: 0 };
  for (let number = 0; number < CASES; number += 1) {
    const option = {};
    for (let count = Math.floor(random() * 3); count >= 0; count -= 1) set(option, pick(Object.keys(OPTIONS)), pick(values));
    try {
      const { config, promise } = normalizeBrokerOptions('b', option, {});
      assertCoreReads(config);
      assert.equal(typeof promise.resolve, 'function');
      seen.accepted += 1;
    } catch (error) {
      assert.equal(error.code, 'DW_ERR_CONFIG', `case ${number}: ${error.stack}`);
      assert.match(error.message, /^Expected |^Unknown option redis\.\w+\. |is not supported: give ca, cert and key/, `case ${number}`);
      seen.refused += 1;
    }
  }
  console.log(`# ${seen.accepted} accepted, ${seen.refused} refused`);
  assert.ok(seen.accepted > CASES / 20 && seen.refused > CASES / 20, JSON.stringify(seen));
});

/** Sets `a.b` of the option object to the value; what stood in the way of it gives way. */
function set(option, name, value) {
  const [key, inner] = name.split('.');
  if (inner === undefined) option[key] = value;
  else option[key] = { ...(Object.getPrototypeOf(option[key] ?? 0) === Object.prototype ? option[key] : {}), [inner]: value };
}

/** Numbers from 0 to 1, the same ones again for the same seed: hashes of a counter. */
function generator(seed) {
  let count = 0;
  return () => createHash('sha256').update(`${seed}/${(count += 1)}`).digest().readUInt32BE(0) / 2 ** 32;
}
