'use strict';

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { inspect } = require('node:util');
const { randomness } = require('../support/random');
const { copyOf, encode, keep } = require('../lib/payload/payload');
const { Decoder } = require('../lib/payload/packed/decode');
const { Encoder, UNFIT } = require('../lib/payload/packed/encode');
const { StructuredDecoder } = require('../lib/payload/packed/structured-decode');
const { StructuredEncoder } = require('../lib/payload/packed/structured-encode');

const LIMIT = 16 * 1024 * 1024;
const PACKED = 2;
const LONG = 'x'.repeat(1000);

const encoder = new Encoder();

/** What arrives of a value by the encoding `packed`, however small it is; `undefined` where that leaves it to JSON. */
function pack(value) {
  let bytes;
  try {
    bytes = Buffer.from(encoder.encode(value, LIMIT));
  } catch (error) {
    if (error === UNFIT) return undefined;
    throw error;
  }
  return { value: read(new Decoder(), bytes) };
}

function read(decoder, bytes) {
  return decoder.decode(bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.length), bytes.length);
}

/** What arrives of a value, and the form in which it travelled. */
function travel(value, structured = false) {
  const { data, form } = encode(value, structured, LIMIT);
  return { value: copyOf(keep(data, form), form), form };
}

const throughJson = (value) => JSON.parse(JSON.stringify(value));

/** Names, prototypes, the order of names, and the sign of zero. */
function same(actual, expected, what) {
  assert.deepStrictEqual(actual, expected, what);
  assert.equal(JSON.stringify(actual), JSON.stringify(expected), what);
}

class Point {
  constructor(x) {
    this.x = x;
  }
  get inherited() {
    return 'not JSON';
  }
}

const NAMES = ['a', 'b', 'id', 'length', '0', '1', '10', '__proto__', 'constructor', 'toString', 'hasOwnProperty', '', 'größe', '\ud800', 'a\u0000b', 'n'.repeat(300)];
const STRINGS = ['', 'x', 'twelve units', 'thirteen unit', 'Zoë', '部屋', '🦄', '\ud83d', '\udc00 alone', '\u0000', '"\\\n\u2028', '\u00ff', LONG, `${LONG}é`, `${LONG}🦄`, `${LONG}\ud83d`];
const NUMBERS = [0, -0, 1, -1, 127, 128, -128, -129, 255, 32767, 32768, -32769, 2147483647, 2147483648, -2147483648, -2147483649, 0.1, 1e21, 5e-324, 1.7976931348623157e308, NaN, Infinity, -Infinity];
const ODD = [
  () => undefined,
  () => () => {},
  () => Symbol('s'),
  () => new Date(86400000),
  () => new Map([[1, 2]]),
  () => new Set([1]),
  () => /x/g,
  () => new Error('e'),
  () => new Number(7),
  () => new String('boxed'),
  () => new Boolean(false),
  () => Object.setPrototypeOf(new Number(7), Object.prototype),
  () => Object.setPrototypeOf(new String('ab'), Object.prototype),
  () => Object.assign(Object.create(null), { bare: true }),
  () => Object.create({ inherited: 1 }, { own: { value: 2, enumerable: true }, hidden: { value: 3 } }),
  () => new Point(3),
  () => new Uint16Array([1, 2]),
  () => new Proxy({ a: 1 }, {}),
  () => new Proxy([1, 2], {}),
  () => ({ toJSON: () => 'its own words' }),
  () => ({ toJSON: () => undefined }),
  () => ({ toJSON: 'no function' }),
  () => Object.defineProperty({ a: 1 }, 'toJSON', { value: (name) => `hidden ${name}` }),
  () => Object.assign([1, 2], { extra: 1, toJSON: undefined }),
  () => Object.assign([1], { toJSON: () => [2] }),

  () => [1, , 3],
  () => new Array(3),
  () => ({ get computed() { return [1]; } }),
  () => ({ [Symbol('s')]: 1, a: 1 }),
  () => Object.freeze({ frozen: [Object.freeze([])] }),
  () => (function () { return arguments; })(1, 2),
  () => (JSON.rawJSON === undefined ? null : JSON.rawJSON('12345678901234567890')),
];

/** A random value, at most so deep. */
function draw(random, depth) {
  const of = (list) => list[random.below(list.length)];
  switch (random.below(depth > 0 ? 8 : 5)) {
    case 0:
      return of([null, true, false]);
    case 1:
    case 2:
      return of(NUMBERS);
    case 3:
      return of(STRINGS);
    case 4:
      return random.below(4) === 0 ? of(ODD)() : random.below(100000) - 50000;
    case 5:
      return Array.from({ length: random.below(20) }, () => draw(random, depth - 1));
    case 6: {
      // Many of one shape.
      const names = Array.from({ length: random.below(6) }, () => of(NAMES));
      return Array.from({ length: random.below(10) }, () => objectOf(names.map((name) => [name, draw(random, depth - 1)])));
    }
    default:
      return objectOf(Array.from({ length: random.below(random.below(10) === 0 ? 60 : 8) }, (_, n) => [random.below(3) === 0 ? `k${n}` : of(NAMES), draw(random, depth - 1)]));
  }
}

/** With own properties of any name, `__proto__` among them. */
function objectOf(entries) {
  const object = {};
  for (const [name, value] of entries) Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
  return object;
}

describe('data of the codec json', () => {
  test('means what JSON means, for any value', (t) => {
    const random = randomness(t);
    let packed = 0;
    for (let round = 0; round < 6000; round += 1) {
      const value = { value: draw(random, 4), long: LONG };
      const expected = throughJson(value);
      const { value: actual, form } = travel(value);
      same(actual, expected, `round ${round}`);
      packed += Number(form === PACKED);
      const small = pack(value.value);
      if (small !== undefined) same(small.value === undefined ? undefined : small.value, expected.value, `round ${round}, alone`);
    }
    assert.ok(packed > 1500, `only ${packed} values were packed`);
  });

  test('means what JSON means, for each odd value by itself, in an object and in an array', () => {
    for (const [n, make] of ODD.entries()) {
      for (const wrap of [(value) => ({ long: LONG, value }), (value) => [LONG, value], (value) => ({ long: LONG, inner: { value, list: [value] } })]) {
        same(travel(wrap(make())).value, throughJson(wrap(make())), `${n}: ${make}`);
      }
    }
  });

  test('is packed where it is large, and JSON text where it is small', () => {
    const entities = Array.from({ length: 100 }, (_, id) => ({ id, x: id / 3, name: `n${id}` }));
    for (const value of [{ body: LONG }, [LONG], { a: { b: [{ c: LONG }] } }, entities, { entities }, Array.from({ length: 100 }, (_, n) => n / 7)]) {
      const { value: actual, form } = travel(value);
      assert.equal(form, PACKED);
      same(actual, throughJson(value));
    }
    for (const value of [{}, [], { a: 1, b: 'short' }, [1, 2, 3], 7, null, true, { nested: { deep: [{}] } }]) assert.equal(travel(value).form, 1);
  });

  test('has the errors of JSON', () => {
    const cycle = { long: LONG };
    cycle.self = { cycle };
    const wrong = [cycle, { long: LONG, n: 1n }, { long: LONG, get bad() { throw new RangeError('thrown by a getter'); } }, { long: LONG, toJSON() { throw new TypeError('thrown by toJSON'); } }];
    for (const value of wrong) {
      let expected;
      try {
        JSON.stringify(value);
      } catch (error) {
        expected = error;
      }
      assert.throws(() => encode(value, false, LIMIT), { name: expected.name, message: expected.message });
    }
    same(travel({ long: LONG, after: 'an error' }).value, { long: LONG, after: 'an error' });
  });

  test('goes deeper than the encoding does, and beyond its limit, as JSON text', () => {
    let deep = { long: LONG };
    for (let level = 0; level < 3000; level += 1) deep = { deep };
    assert.equal(JSON.stringify(travel(deep).value), JSON.stringify(deep));
    const fractions = Array.from({ length: 1000 }, () => 0.5);
    assert.equal(encode(fractions, false, 5000).form, 1);
    assert.equal(encode(fractions, false, 50000).form, PACKED);
  });

  test('may be sent by a getter while other data is encoded', () => {
    let inner;
    const value = {
      long: LONG,
      get more() {
        inner = travel({ long: `${LONG} inside` });
        return 1;
      },
    };
    same(travel(value).value, { long: LONG, more: 1 });
    same(inner.value, { long: `${LONG} inside` });
  });

  test('makes own properties, whatever Object.prototype has', () => {
    const names = ['polluted', 'readOnly'];
    let called = 0;
    Object.defineProperty(Object.prototype, 'polluted', { set: () => (called += 1), get: () => 'inherited', configurable: true });
    Object.defineProperty(Object.prototype, 'readOnly', { value: 1, writable: false, configurable: true });
    try {
      for (const value of [{ long: LONG, polluted: 1, readOnly: 2 }, objectOf([['__proto__', { polluted: 3 }], ['long', LONG]])]) {
        const { value: actual, form } = travel(value);
        assert.equal(form, PACKED);
        assert.deepEqual(Object.entries(actual), Object.entries(throughJson(value)));
        assert.equal(Object.getPrototypeOf(actual), Object.prototype);
      }
      assert.equal(called, 0);
    } finally {
      for (const name of names) delete Object.prototype[name];
    }
  });

  test('gives back the memory that a large payload needed', () => {
    travel({ long: 'x'.repeat(8 * 1024 * 1024) });
    travel({ long: LONG });
    assert.ok(encode({ long: LONG }, false, LIMIT).data.buffer.byteLength < 1024 * 1024);
  });
});

test('an invalid date is null, as in JSON', () => {
  same(travel({ long: LONG, date: new Date(NaN) }).value, { long: LONG, date: null });
});

describe('data of the codec structured', () => {
  const ok = (value) => travel(value, true).value;

  test('is what structuredClone gives, for any value that JSON can express', (t) => {
    const random = randomness(t);
    for (let round = 0; round < 3000; round += 1) {
      const value = draw(random, 4);
      // Stacks, and properties of arrays that are no elements, do not travel.
      if (!hasNone(value, (each) => each instanceof Error || (Array.isArray(each) && Object.keys(each).length > each.length))) continue;
      let expected;
      try {
        expected = structuredClone(value);
      } catch {
        assert.throws(() => ok(value), undefined, `round ${round}: ${inspect(value, { depth: 9 })}`);
        continue;
      }
      assert.deepStrictEqual(ok(value), expected, `round ${round}`);
    }
  });

  test('keeps what JSON does not have', () => {
    const buffer = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]).buffer;
    const values = [
      undefined, NaN, -0, Infinity, 12345678901234567890n, -1n, 0n, new Date(5), new Map([[{ a: 1 }, new Set([1, undefined])]]), new Set(['a']),
      /a\/b/giu, new Boolean(false), new Number(-0), new String('ab'), Object(7n), buffer, new DataView(buffer, 2, 3), new Int16Array(buffer, 2, 3), new Float64Array([0.5, NaN]),
      new BigUint64Array([2n ** 64n - 1n]), { a: undefined, list: [undefined] }, [1, , 3, ,], new Point(1), Object.create(null),
      new RangeError('r', { cause: { why: [1] } }), 'lone \ud800', { '\ud800': '\udc00' }, objectOf([['__proto__', 1]]),
    ];
    for (const value of values) assert.deepStrictEqual(withoutStack(ok(value)), withoutStack(structuredClone(value)));
    assert.ok(ok(new RangeError('r')) instanceof RangeError);
    assert.ok(Number.isNaN(ok(new Date(NaN)).getTime()));
    assert.ok(Buffer.isBuffer(ok({ inside: Buffer.from('b') }).inside));
  });

  test('keeps cycles and what is there twice', () => {
    const shared = { name: 'shared' };
    const value = { list: [shared, shared], map: new Map([[shared, 1]]), date: new Date(1), after: shared };
    value.self = value;
    value.list.push(value.list);
    const actual = ok(value);
    assert.equal(actual.self, actual);
    assert.equal(actual.list[2], actual.list);
    assert.equal(actual.list[0], actual.list[1]);
    assert.deepEqual([...actual.map.keys()], [shared]);
    assert.ok(actual.map.has(actual.after) && actual.list[0] === actual.after && actual.date.getTime() === 1);
  });

  test('refuses what cannot be sent, and says what it is', () => {
    const wrong = [
      [{ f() {} }, /the function f/], [[Symbol('s')], /a symbol/], [() => {}, /the function/], [new Proxy({}, {}), /a Proxy/], [{ p: Promise.resolve() }, /a Promise/],
      [new WeakMap(), /a WeakMap/], [new SharedArrayBuffer(1), /a SharedArrayBuffer/], [Object(Symbol('s')), /a symbol/],
    ];
    for (const [value, message] of wrong) assert.throws(() => encode(value, true, LIMIT), message);
    let deep = {};
    for (let level = 0; level < 1100; level += 1) deep = { deep };
    assert.throws(() => encode(deep, true, LIMIT), /more than 1000 objects/);
  });

  test('ignores toJSON, and copies views of shared memory', () => {
    assert.deepEqual(ok({ toJSON: 1, a: 1 }), { toJSON: 1, a: 1 });
    const shared = new Uint8Array(new SharedArrayBuffer(2));
    shared[1] = 7;
    assert.deepEqual(ok(shared), Buffer.from([0, 7]));
  });
});

describe('bytes', () => {
  test('are bytes by either codec, and arrive as a Buffer', () => {
    for (const structured of [false, true]) {
      for (const value of [Buffer.from('abc'), new Uint8Array([1, 2]), Buffer.alloc(0), new Uint8Array(100000).fill(7), new Uint8Array([1, 2, 3]).subarray(1, 2)]) {
        const { value: actual, form } = travel(value, structured);
        assert.equal(form, 3);
        assert.ok(Buffer.isBuffer(actual) && actual.equals(value));
        value.fill(9);
        assert.ok(value.length === 0 || actual[0] !== 9, 'it is a copy');
      }
    }
  });

  test('inside of an object are what JSON makes of them', () => {
    same(travel({ long: LONG, bytes: Buffer.from('ab'), view: new Uint8Array([1]) }).value, { long: LONG, bytes: { type: 'Buffer', data: [97, 98] }, view: { 0: 1 } });
  });
});

describe('a payload from a hostile peer', () => {
  const samples = [
    { list: [1, 'a', LONG, { a: 1, b: 'é' }, { a: 2, b: 'x' }], big: 1e300, none: null },
    Array.from({ length: 40 }, (_, n) => ({ id: n, x: n / 3, tag: `t${n}` })),
    objectOf([['__proto__', { polluted: true }], ['x', LONG]]),
  ];
  const rich = { map: new Map([[1, new Set([2])]]), date: new Date(1), big: -77n, re: /x/g, view: new Float64Array([1]), error: new TypeError('t', { cause: 1 }), buffer: Buffer.from('b'), boxed: Object(1), holes: [, 1] };
  rich.self = rich;
  const kinds = [
    ['packed', () => new Encoder(), new Decoder(), samples],
    ['structured', () => new StructuredEncoder(), new StructuredDecoder(), [...samples, rich]],
  ];

  test('either is a value or throws, and changes nothing else', (t) => {
    const random = randomness(t);
    for (const [name, make, decoder, values] of kinds) {
      for (const value of values) {
        const sound = Buffer.from(make().encode(value, LIMIT));
        const before = read(decoder, Buffer.from(sound));
        let refused = 0;
        for (let round = 0; round < 4000; round += 1) {
          const bytes = Buffer.from(round % 4 === 0 ? sound.subarray(0, random.below(sound.length)) : sound);
          for (let change = random.below(5); change > 0 && bytes.length > 0; change -= 1) bytes[random.below(Math.min(bytes.length, 200))] = random.below(256);
          try {
            read(decoder, Buffer.from(bytes));
          } catch (error) {
            refused += 1;
            assert.ok(error instanceof Error, name);
          }
        }
        assert.ok(refused > 500, `${name}: ${refused} were refused`);
        assert.equal({}.polluted, undefined);
        assert.deepStrictEqual(withoutStack(read(decoder, Buffer.from(sound))), withoutStack(before), name);
      }
    }
  });

  test('that claims more than it holds takes no memory for it', () => {
    const claims = [[0x8b, 0xff, 0xff, 0xff, 0xff], [0x8e, 0xff, 0xff, 0xff, 0xff], [0x88, 0xff, 0xff, 0xff, 0xff], [0x92, 0xff, 0xff, 0xff, 0xff], [0x96, 8, 0xff, 0xff, 0xff, 0xff], [0x8c, 32]];
    for (const [, , decoder] of kinds) {
      for (const claim of claims) {
        const bytes = Buffer.from([0, 0, 0, 0, 5 + claim.length, ...claim]);
        assert.throws(() => read(decoder, bytes), /value|bytes|ends early|length|unknown/);
      }
    }
  });

  test('that nests without end is refused', () => {
    const levels = 100000;
    for (const [, , decoder] of kinds) {
      for (const level of [[0x8b, 0, 0, 0, 1], [0x8c, 1, 0], [0x8e, 0, 0, 0, 1, 0xa0], [0x91], [0x99, 0, 0x83]]) {
        const nested = Buffer.concat([Buffer.from([0, 0, 0, 0, 0]), ...Array(levels).fill(Buffer.from(level)), Buffer.from([0x80])]);
        nested.writeUInt32BE(nested.length, 1);
        assert.throws(() => read(decoder, nested), /inside of each other|too many records|unknown kind|is expected/);
      }
    }
  });

  test('of the codec json brings only what JSON has', () => {
    for (const value of [new Map(), new Date(1), 5n, [, 1], { a: Buffer.from('x') }]) {
      const bytes = Buffer.from(new StructuredEncoder().encode(value));
      assert.throws(() => read(new Decoder(), bytes), /unknown kind/);
    }
  });
});

/** Errors of another place have none here. */
function withoutStack(value) {
  const errors = value instanceof Error ? [value] : value !== null && typeof value === 'object' ? Object.values(value).filter((each) => each instanceof Error) : [];
  for (const error of errors) delete error.stack;
  return value;
}

/** Whether nothing in the value is so. */
function hasNone(value, is) {
  if (value === null || typeof value !== 'object') return true;
  return !is(value) && Object.values(value).every((each) => hasNone(each, is));
}
