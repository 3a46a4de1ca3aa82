'use strict';

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { onEachCoordinator } = require('./helpers/systems');
const { echo, worker } = require('./helpers/classes');
const { rejection, until } = require('../support/wait');

const MIB = 1024 * 1024;
/** About as long as what goes by without memory of its own. */
const SHORT = [52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64];
const VALUES = {
  null: null,
  true: true,
  zero: 0,
  negative: -12.5e-7,
  large: Number.MAX_SAFE_INTEGER,
  'an empty string': '',
  'an empty array': [],
  'an empty object': {},
  nested: { a: [{ b: [[]] }, null, ''], c: { d: {} } },
  unicode: 'Zoë 🦄 部屋 \u2028 \u0000 \ud83d',
  'text that looks like JSON': '1],[2',
  'text like an event': [0, 1, 'x'],
};

onEachCoordinator((system) => {
  /** A caller and a worker: at the same broker, and at another one. */
  async function pairs(t, WorkerClass) {
    const s = system(t);
    const far = await s.start('far', { classes: [WorkerClass] });
    const id = (await far.createWorker(WorkerClass.name, { id: 'w' })).id;
    const near = await s.start('near', { classes: [WorkerClass] });
    return { same: await far.findWorker(id), other: await near.findWorker(id) };
  }

  test('JSON goes there and back as it was', async (t) => {
    for (const [where, agent] of Object.entries(await pairs(t, echo()))) {
      for (const [what, value] of Object.entries(VALUES)) assert.deepEqual(await agent.ask(what, value), value, `${what}, ${where}`);
    }
  });

  test('a string is what it was, however long it is and whatever is in it', async (t) => {
    const insides = ['x', '"', '\\', '\n', '\u0000', '\u007f', 'é', '\u0141', '部', '🦄', '\ud83d', '\udd84\ud83d', '\ufffd', '\u2028'];
    for (const agent of Object.values(await pairs(t, echo()))) {
      for (const length of [0, 1, ...SHORT, 100, 509, 510, 511, 512, 4093, 4094, 4095, 4096, 20_000, 300_000]) {
        for (const inside of insides) {
          const text = 'a'.repeat(length) + inside + 'z';
          const answer = await agent.ask('m', text);
          assert.ok(answer === text, `${JSON.stringify(inside)} behind ${length}`);
        }
        assert.equal(await agent.ask('m', 'a'.repeat(length)), 'a'.repeat(length));
      }
    }
  });

  test('objects with long strings, and many objects, are what they were', async (t) => {
    const values = [
      ...SHORT.map((length) => ({ short: 'a'.repeat(length), long: 'x'.repeat(600), zero: -0, not: NaN, none: undefined })),
      { list: Array.from({ length: 200 }, (_, n) => ({ n, x: n / 7, tag: `t${n}`, text: n % 3 ? 'Zoë 🦄' : '\ud83d' })) },
      { long: 'x'.repeat(300_000), '__proto__x': 1, deep: [[[{ long: '部'.repeat(5000) }]]] },
      JSON.parse(`{"__proto__": {"a": 1}, "long": "${'x'.repeat(600)}"}`),
      { when: new Date(0), long: 'x'.repeat(600), bytes: Buffer.from('a') },
    ];
    for (const [where, agent] of Object.entries(await pairs(t, echo()))) {
      for (const value of values) {
        const expected = JSON.parse(JSON.stringify(value));
        assert.deepStrictEqual(await agent.ask('m', value), expected, where);
        assert.deepStrictEqual(await Promise.all([agent.ask('m', value), agent.ask('m', 1), agent.ask('m', value)]), [expected, 1, expected]);
      }
    }
  });

  test('bytes are bytes, however many', async (t) => {
    const seen = [];
    const W = worker('W', {
      onAsk: (method, data) => data,
      onTell(method, data) {
        seen.push(data);
      },
    });
    for (const [where, agent] of Object.entries(await pairs(t, W))) {
      for (const length of [0, 1, 1000, 70_000, 3 * MIB]) {
        for (const bytes of [Buffer.alloc(length, 'x'), new Uint8Array(length).fill(7)]) {
          const answer = await agent.ask('m', bytes);
          assert.ok(Buffer.isBuffer(answer) && answer.equals(bytes), `${length}, ${where}`);
          await agent.tell('m', bytes);
          await until('the tell is there', () => seen.length > 0);
          assert.ok(Buffer.isBuffer(seen[0]) && seen.pop().equals(bytes));
        }
      }
    }
  });

  test('bytes that are changed after the call, or by the handler, are copies', async (t) => {
    const W = worker('W', {
      onAsk(method, data) {
        data.fill('h');
        return data;
      },
    });
    for (const agent of Object.values(await pairs(t, W))) {
      const bytes = Buffer.from('mine');
      const answer = agent.ask('m', bytes);
      bytes.fill('z');
      assert.equal(String(await answer), 'hhhh');
      assert.equal(String(bytes), 'zzzz');
    }
  });

  test('the codec structured keeps what JSON does not', async (t) => {
    const rich = { when: new Date(5), map: new Map([['a', new Set([1n])]]), none: undefined, view: new Float32Array([0.5]), list: [undefined, -0, NaN] };
    rich.self = rich;
    const plain = [undefined, null, 1, 'text', 'x'.repeat(10_000), true, NaN, 12n, [], {}];
    const Own = Object.assign(worker('Own', { onAsk: (method, data) => (method === 'bad' ? { f() {} } : data) }), { codec: 'structured' });
    for (const agent of Object.values(await pairs(t, Own))) {
      assert.deepStrictEqual(await agent.ask('m', rich), rich);
      for (const value of plain) assert.deepStrictEqual(await agent.ask('m', value), value);
      const error = await rejection(agent.ask('m', { f() {} }));
      assert.deepEqual([error.code, /the function f/.test(error.message)], ['DW_ERR_CONFIG', true]);
      assert.match((await rejection(agent.ask('bad'))).message, /^The answer of worker w to 'bad' cannot be cloned: the function f/);
      const large = await rejection(agent.ask('m', { map: new Map([[1, 'x'.repeat(20 * MIB)]]) }));
      assert.deepEqual([large.code, large.delivered], ['DW_ERR_TOO_LARGE', 'no']);
    }
  });

  test('each sender chooses its codec: the class, else its own broker', async (t) => {
    const s = system(t);
    const seen = [];
    const W = worker('W', {
      onAsk(method, data) {
        seen.push(data);
        return new Date(7);
      },
    });
    const Json = Object.assign(class Json extends W {}, { codec: 'json' });
    const Other = Object.assign(class Other extends W {}, { codec: { of: 'the application' } });
    const host = await s.start('host', { classes: [W, Json, Other] });
    for (const WorkerClass of [W, Json, Other]) await host.createWorker(WorkerClass.name, { id: WorkerClass.name });
    const caller = await s.start('caller', { classes: [W, Json, Other], codec: 'structured' });
    for (const [name, sent] of [['W', new Date(5)], ['Json', new Date(5).toJSON()], ['Other', new Date(5)]]) {
      const answer = await (await caller.findWorker(name)).ask('m', new Date(5));
      assert.deepStrictEqual([seen.pop(), answer], [sent, new Date(7).toJSON()]);
    }
  });

  test('undefined stays undefined, in both directions', async (t) => {
    const seen = [];
    const W = worker('W', {
      onAsk(method, data) {
        seen.push(data);
        return method === 'function' ? () => {} : undefined;
      },
      onTell(method, data) {
        seen.push(data);
      },
    });
    for (const agent of Object.values(await pairs(t, W))) {
      seen.length = 0;
      assert.equal(await agent.ask('m'), undefined);
      assert.equal(await agent.ask('m', undefined), undefined);
      assert.equal(await agent.ask('function', () => {}), undefined);
      await agent.tell('m');
      await agent.tell('m', undefined);
      await agent.ask('m', null);
      assert.deepEqual(seen, [undefined, undefined, undefined, undefined, undefined, null]);
      assert.deepEqual(await agent.ask('m', { a: undefined }), undefined);
      assert.deepEqual(seen.at(-1), {});
    }
  });

  test('data is copied', async (t) => {
    const kept = { list: [1] };
    const W = worker('W', {
      onAsk(method, data) {
        if (data) data.list.push('changed');
        return kept;
      },
    });
    const { same } = await pairs(t, W);
    const sent = { list: ['mine'] };
    const answer = await same.ask('m', sent);
    answer.list.push('changed');
    assert.deepEqual([sent, kept], [{ list: ['mine'] }, { list: [1] }]);
  });

  test('method names may be empty, or in any script', async (t) => {
    const W = worker('W', { onAsk: (method) => method });
    for (const agent of Object.values(await pairs(t, W))) {
      for (const method of ['', 'größe', 'a"b\\c\n', 'é'.repeat(128)]) assert.equal(await agent.ask(method), method);
    }
  });

  test('1 MiB goes through, both ways, by ask and tell', async (t) => {
    let told;
    const W = worker('W', {
      onAsk: (method, data) => data,
      onTell(method, data) {
        told = data;
      },
    });
    const text = '0123456789abcdé'.repeat(MIB / 16);
    for (const agent of Object.values(await pairs(t, W))) {
      assert.equal(await agent.ask('m', text), text);
      told = undefined;
      await agent.tell('m', text);
      await until('the tell is there', () => told === text);
    }
  });

  test('20 MiB is refused to the sender as too large, and nothing else fails', async (t) => {
    const W = worker('W', { onAsk: (method, data) => (method === 'large' ? 'x'.repeat(20 * MIB) : data) });
    const text = 'x'.repeat(20 * MIB);
    const { other, same } = await pairs(t, W);
    for (const agent of [other, same]) {
      const error = await rejection(agent.ask('m', text));
      assert.deepEqual([error.code, error.delivered], ['DW_ERR_TOO_LARGE', 'no']);
      assert.equal((await rejection(agent.tell('m', text))).code, 'DW_ERR_TOO_LARGE');
      const answer = await rejection(agent.ask('large'));
      assert.deepEqual([answer.code, answer.delivered], ['DW_ERR_TOO_LARGE', 'yes']);
      assert.equal(await agent.ask('m', 'still here'), 'still here');
    }
  });

  test('attributes come through creation and recovery bit for bit', async (t) => {
    const attributes = {
      recoverable: true, digits: 0.1234567890123456, big: 9007199254740991, tiny: 5e-324, empty: [], nothing: {}, none: null,
      text: 'Zoë 🦄 \u0000 "quoted" \\ /', deep: { list: [[], [1.5, null]] },
    };
    const seen = [];
    const W = worker('W', {
      onCreate() {
        seen.push(JSON.stringify(this.attributes));
      },
      onAsk() {
        this.destroy({ noRecover: false });
      },
    });
    const broker = await system(t).start('b', { classes: [W] });
    const agent = await broker.createWorker('W', { attributes });
    for (let n = 2; n <= 3; n += 1) {
      await agent.ask('again');
      await until('it is made again', () => seen.length === n);
    }
    const expected = JSON.stringify({ ...attributes, static: false });
    assert.deepEqual(seen, [expected, expected, expected]);
  });

  describe('errors', () => {
    test('that are large go through as well', async (t) => {
      const W = worker('W', {
        onAsk: () => Promise.reject(Object.assign(new Error('x'.repeat(100000)), { details: 'y'.repeat(100000) })),
      });
      for (const agent of Object.values(await pairs(t, W))) {
        const error = await rejection(agent.ask('m'));
        assert.deepEqual([error.message.length, error.details.length, error.code], [100000, 100000, 'DW_ERR_REJECTED']);
      }
    });
  });
});
