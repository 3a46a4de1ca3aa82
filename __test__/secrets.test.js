'use strict';

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { inspect } = require('node:util');
const { Broker } = require('..');
const { readCredentials } = require('../lib/options/credentials');
const { Member } = require('./helpers/members');
const { startRedis } = require('../support/redis-server');
const { rejection, until } = require('../support/wait');

const OLD = 'the old secret of the tests';
const NEW = 'the new secret of the tests';

describe('option.secret', () => {
  const textOf = (secret, env = {}) => JSON.parse(readCredentials({ secret }, env).toText()).secrets;

  test('is one string or two; without it DWORKER_SECRET is used, else nothing', () => {
    assert.deepEqual(textOf(OLD), [OLD]);
    assert.deepEqual(textOf([NEW, OLD]), [NEW, OLD]);
    assert.deepEqual(textOf(undefined, { DWORKER_SECRET: OLD }), [OLD]);
    assert.deepEqual(textOf(NEW, { DWORKER_SECRET: OLD }), [NEW]);
    assert.deepEqual(textOf(null), []);
  });

  test('is refused without being shown', () => {
    const wrong = ['', 'hunter2', 'x'.repeat(1025), '\ud800'.repeat(16), [], [NEW, OLD, NEW], [NEW, 'hunter2'], [undefined], [null], 7, {}, true];
    for (const secret of wrong) {
      assert.throws(() => new Broker('b', { secret }), (error) => {
        assert.equal(error.code, 'DW_ERR_CONFIG');
        assert.match(error.message, /^Expected a string of 16 to 1024 characters, or \[new, old\] for secret but received /);
        assert.doesNotMatch(inspect(error, { showHidden: true }), /hunter2|xxx/);
        return true;
      });
    }
    assert.throws(() => readCredentials({}, { DWORKER_SECRET: '' }), /for DWORKER_SECRET but received \(hidden\)/);
    assert.throws(() => new Broker('b', { secret: OLD }).setSecret('hunter2'), { code: 'DW_ERR_CONFIG' });
  });

  test('is shown by nothing that prints a broker', async () => {
    const broker = new Broker('b', { redis: 'memory://secrets', secret: [NEW, OLD] });
    const logged = [];
    broker.on('log', (event) => logged.push(event));
    const look = () => {
      const printed = inspect(broker, { showHidden: true, depth: Infinity }) + JSON.stringify(broker) + JSON.stringify(logged);
      assert.doesNotMatch(printed, /secret of the tests/);
    };
    look();
    await broker.start();
    look();
    await broker.destroy();
    broker.quit();
    look();
  });
});

describe('brokers in processes of their own', () => {
  let server;
  before(async () => {
    server = await startRedis();
  });
  after(() => server.stop());
  let systems = 0;
  const system = (t) => {
    const option = { redis: server.url, ns: `secrets${(systems += 1)}` };
    return (id, secret, classes = ['Room']) => Member.start(t, id, { ...option, secret }, classes);
  };

  test('with different secrets start, and refuse each other', async (t) => {
    const start = system(t);
    const a = await start('a', OLD);
    const id = await a.call('create', 'Room');
    const b = await start('b', NEW, []);
    const c = await start('c', NEW, ['Room']);
    const refused = await rejection(c.call('ask', id, 'echo', 1));
    assert.equal(refused.code, 'DW_ERR_UNAUTHORIZED', refused.message);
    assert.equal(refused.delivered, 'no');
    assert.doesNotMatch(refused.message, /secret of the tests/);
    assert.deepEqual(await a.call('ask', id, 'seen'), []);
    await b.call('setSecret', OLD);
    await c.call('setSecret', [NEW, OLD]);
    assert.equal(await c.call('ask', id, 'echo', 2), 2);
  });

  test('answer a call that was made before its receiver learnt the new secret', async (t) => {
    const start = system(t);
    const a = await start('a', OLD);
    const id = await a.call('create', 'Room');
    const c = await start('c', NEW, ['Room']);
    const asked = c.call('askKnown', id, 'echo', 1);
    const created = c.call('create', 'Room', { id });
    await until('the receiver has refused the caller', async () => (await a.call('warnings')).some((text) => /no secret in common/.test(text)));
    await a.call('setSecret', [NEW, OLD]);
    assert.equal(await asked, 1);
    assert.equal(await created, id);
  });

  test('rotate their secret one after the other, and lose no call', async (t) => {
    const start = system(t);
    const members = [await start('a', OLD), await start('b', OLD), await start('c', OLD)];
    const caller = await start('caller', OLD);
    const ids = [];
    for (const id of ['r1', 'r2', 'r3', 'r4']) ids.push(await members[0].call('create', 'Room', { id, attributes: { recoverable: true } }));
    const calls = caller.call('callOn', ids);
    for (const secret of [[NEW, OLD], NEW]) {
      // By a restart of each process, as a deployment does it …
      for (const [index, { id }] of members.entries()) {
        await members[index].call('destroy');
        await members[index].kill();
        members[index] = await start(id, secret);
      }
      // … and while it runs.
      await caller.call('setSecret', secret);
    }
    await caller.call('stopCalls');
    const { answered, failed } = await calls;
    assert.deepEqual(failed, []);
    assert.ok(answered > 100, `${answered} answers`);
    t.diagnostic(`${answered} calls answered`);
    const late = await start('late', OLD);
    const refused = await rejection(late.call('ask', ids[0], 'where'));
    assert.equal(refused.code, 'DW_ERR_UNAUTHORIZED', refused.message);
    await until('the new secret is enough', () => caller.call('ask', ids[0], 'where'));
  });
});
