'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { inspect } = require('node:util');
const { Broker } = require('..');
const { Member } = require('./helpers/members');
const { startRedis } = require('../support/redis-server');
const { rejection } = require('../support/wait');

const file = (name) => fs.readFileSync(path.join(__dirname, '..', 'tests', 'certificates', name), 'utf8');
const certificates = (name, ...authorities) => ({
  key: file(`${name}.key`),
  cert: file(`${name}.pem`),
  ca: authorities.map((authority) => file(`${authority}.pem`)).join(''),
});
const TLS = certificates('broker', 'authority');

describe('option.tls', () => {
  test('takes PEM in strings and Buffers, and is shown by nothing', () => {
    const buffers = Object.fromEntries(Object.entries(TLS).map(([part, text]) => [part, Buffer.from(text)]));
    for (const tls of [TLS, buffers]) {
      const broker = new Broker('b', { tls });
      assert.doesNotMatch(inspect(broker, { showHidden: true, depth: Infinity }) + JSON.stringify(broker), /BEGIN/);
      broker.setSecureContext(certificates('renewed', 'authority'));
    }
  });

  test('is refused where it cannot work, without being shown', () => {
    const other = certificates('renewed', 'authority').key;
    const wrong = [true, 'pem', [], {}, { ...TLS, key: undefined }, { ...TLS, ca: 'hunter2' }, { ...TLS, key: other }, { ...TLS, cert: TLS.key }];
    for (const tls of wrong) {
      for (const refuse of [() => new Broker('b', { tls }), () => new Broker('b', { tls: TLS }).setSecureContext(tls)]) {
        assert.throws(refuse, (error) => {
          assert.equal(error.code, 'DW_ERR_CONFIG');
          assert.match(error.message, /^Expected .* for tls/);
          assert.doesNotMatch(inspect(error, { showHidden: true }), /BEGIN|hunter2/);
          return true;
        });
      }
    }
    assert.throws(() => new Broker('b').setSecureContext(TLS), { code: 'DW_ERR_CONFIG' });
  });
});

describe('brokers in processes of their own', () => {
  let server;
  let systems = 0;
  before(async () => {
    server = await startRedis();
  });
  after(() => server.stop());

  function system(t) {
    const option = { redis: server.url, ns: `tls${(systems += 1)}`, socTimeout: 100 };
    return (id, tls) => Member.start(t, id, { ...option, tls });
  }

  test('speak TLS with each other, and replace their certificates without a restart and without losing a call', async (t) => {
    const start = system(t);
    const members = [await start('a', TLS), await start('b', TLS), await start('c', TLS)];
    const ids = await Promise.all(['r1', 'r2', 'r3', 'r4', 'r5', 'r6'].map((id) => members[0].call('create', 'Room', { id })));
    const calls = members[2].call('callOn', ids);
    const both = ['authority', 'another-authority'];
    const steps = [certificates('renewed', 'authority'), certificates('renewed', ...both), certificates('moved', ...both), certificates('moved', 'another-authority')];
    for (const [number, tls] of steps.entries()) {
      for (const member of members) await member.call('setSecureContext', tls);
      // New connections, each way.
      const fresh = await start(`fresh${number}`, tls);
      for (const id of ids) assert.equal(await fresh.call('ask', id, 'echo', number), number);
      await fresh.call('destroy');
    }
    await members[2].call('stopCalls');
    const { answered, failed } = await calls;
    assert.deepEqual(failed, []);
    assert.ok(answered > 0);
    t.diagnostic(`${answered} calls answered`);
    const late = await start('late', TLS);
    const refused = await rejection(late.call('ask', ids[0], 'echo', 1));
    assert.equal(refused.code, 'DW_ERR_UNAUTHORIZED', refused.message);
    assert.equal(refused.delivered, 'no');
  });

  for (const [who, ours, theirs] of [['asks', undefined, TLS], ['is asked', TLS, undefined]]) {
    test(`never speak in the clear with one that does not speak TLS and ${who}`, async (t) => {
      const start = system(t);
      const there = await start('there', theirs);
      const id = await there.call('create', 'Room');
      const here = await start('here', ours);
      const refused = await rejection(here.call('ask', id, 'echo', 1));
      assert.equal(refused.code, 'DW_ERR_UNAUTHORIZED', refused.message);
      assert.equal(refused.delivered, 'no');
      assert.deepEqual(await there.call('ask', id, 'seen'), []);
    });
  }
});
