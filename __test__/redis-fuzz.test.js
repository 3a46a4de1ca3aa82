'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Broker } = require('..');
const { worker } = require('./helpers/classes');
const { atEnd } = require('./helpers/cleanup');
const { writeEntry } = require('./helpers/entries');
const { Member } = require('./helpers/members');
const { randomness } = require('../support/random');
const { startRedis } = require('../support/redis-server');
const { RawRedis } = require('./helpers/resp');
const { sleep, until } = require('../support/wait');

const SECRET = 'known to the brokers and not in Redis';
const ROUNDS = 60;
const WRITES_A_ROUND = 20;
const WORKERS = 6;

/** Values that a careless parser, a script or a batch takes for something else. */
const CRAFTED = [
  '', ' ', 'null', 'nan', '-nan', 'inf', '-inf', '-1', '0', '0x10', '1e308', '1.5', '18446744073709551616', '9007199254740993', '00ff',
  '{}],[3,0,1,"transfer",{"to":"mallory"}', '{"a":', '{}]', '[1]', '"text"', '{"__proto__":{"recoverable":true}}', '{}\u2028', '\\', '"',
  'main:0:h:1:b:1:1:5000:0:,Room,', 'main:0:127.0.0.1:1:b:1:1:5000:1:,Room,', ':::::::::', 'main', ',Room,', '%', '%zz',
  'placing', 'active', 'pending', 'Room', 'x'.repeat(70000), Buffer.from([0xff, 0xfe, 0]), Buffer.from('ed a0 80'.replace(/ /g, ''), 'hex'),
];
/** Not `schema` nor `restart`: with these, whoever can write ends every broker's work (docs/security.md). */
const META = ['generation', 'server', 'secret', 'epoch', 'n:Room', 'healing', 'patience', 'left:00ff', 'odd'];
const CHANNEL = ['members', 'pending', 'restart', 'settled', 'dead:', 'overruled:', 'foreign:', 'unreadable:', 'null', '{"m":"destroy"}'];

/** A program that writes into the namespace what it likes, but nothing that names the workers it shall not touch. */
class Writer {
  constructor(redis, random, incarnations) {
    this.redis = redis;
    this.random = random;
    this.incarnations = incarnations;
    this.count = 0;
  }

  of(list) {
    return list[this.random.below(list.length)];
  }

  value() {
    if (this.random.below(4) > 0) return this.of(CRAFTED);
    return Buffer.from(Array.from({ length: this.random.below(40) }, () => this.random.below(256)));
  }

  /** An id of a worker that is nobody's business. */
  id() {
    return this.random.below(8) === 0 ? this.value() : `touched${this.random.below(20)}`;
  }

  key(id) {
    return Buffer.concat([Buffer.from('{dw}:w:'), Buffer.from(id)]);
  }

  score() {
    return this.of(['-inf', '+inf', '0', '1', '-5', '0.5', '1e300', String(Date.now()), String(Date.now() + 1e6)]);
  }

  write() {
    this.count += 1;
    const { redis } = this;
    const incarnation = this.of([...this.incarnations, '00ff', this.value()]);
    switch (this.random.below(12)) {
      case 0:
        return redis.write('HSET', '{dw}:meta', this.of(META), this.value());
      case 1:
        return redis.write('HSET', '{dw}:brokers', incarnation, this.value());
      case 2:
        return redis.write('ZADD', '{dw}:leases', this.score(), this.of([...this.incarnations, '00ff', this.value()]));
      case 3:
        return redis.write('ZADD', '{dw}:load:main', this.score(), incarnation);
      case 4:
        return redis.write('SETRANGE', this.key(this.id()), this.random.below(120), this.value());
      case 5:
        return redis.write('ZADD', `{dw}:own:${this.of(this.incarnations)}`, this.score(), this.id());
      case 6:
      case 7:
        return this.pend(this.id());
      case 8:
        return redis.write('HSET', this.of(['{dw}:dead', '{dw}:awaited']), this.of(['00ff', this.value()]), this.of(['0', '1', this.value()]));
      case 9: {
        const key = this.of(['w:touched1', 'pending:main:Room', 'load:main', 'dead', 'awaited', `own:${this.of(this.incarnations)}`]);
        redis.write('DEL', `{dw}:${key}`);
        return redis.write(...this.of([['SET', `{dw}:${key}`, this.value()], ['LPUSH', `{dw}:${key}`, this.value()], ['SADD', `{dw}:${key}`, 'x']]));
      }
      case 10:
        return redis.write('PUBLISH', '{dw}:hints:0', Buffer.concat([Buffer.from(this.of(CHANNEL)), Buffer.from(this.value())]));
      default:
        return redis.write('PUBLISH', this.of(['{dw}:hints:0', '{dw}:lease:0']), this.of(CHANNEL));
    }
  }

  /** A worker that seems to wait for its recovery; one field of it is crafted. */
  pend(id) {
    const crafted = this.of([
      () => writeEntry({ created: Date.now(), attributes: this.value() }),
      () => writeEntry({ created: Date.now(), className: this.value() }),
      () => writeEntry({ created: Date.now(), cluster: this.value() }),
      () => writeEntry({ created: Date.now(), epoch: this.of(CRAFTED.slice(0, 14)) }),
      () => writeEntry({ created: Date.now(), state: 'active', owner: this.of(this.incarnations) }),
    ]);
    this.redis.write('SET', this.key(id), crafted());
    this.redis.write('ZADD', '{dw}:pending:main:Room', Date.now(), id);
  }
}

test('an entry with crafted attributes is reported and deleted, and the others of its batch are recovered', async (t) => {
  const server = await startRedis();
  atEnd(t, () => server.stop());
  const member = await Member.start(t, 'a', { redis: server.url, secret: SECRET, promise: 'native' });
  const redis = await RawRedis.connect(server.port);
  atEnd(t, () => redis.close());
  const crafted = ['{},[3,0,1,"transfer",{}]', '{}],[3,0,1,"transfer",{}', '{"a":', '[1]', '', Buffer.from([0x7b, 0xff, 0x7d])];
  for (const [n, attributes] of [...crafted, '{"recoverable":true,"n":1}'].entries()) {
    redis.write('SET', `{dw}:w:w${n}`, writeEntry({ created: n, attributes }));
    redis.write('ZADD', '{dw}:pending:main:Room', n, `w${n}`);
  }
  redis.write('PUBLISH', '{dw}:hints:0', 'pending');
  const fine = `w${crafted.length}`;
  await until('the sound one is recovered', async () => (await member.call('residents')).includes(fine));
  assert.deepEqual((await member.call('ask', fine, 'where')).attributes, { recoverable: true, n: 1 });
  assert.deepEqual(await member.call('residents'), [fine]);
  assert.deepEqual((await member.call('handled')).map(({ id }) => id), [fine]);
  await until('the entries are deleted', async () => {
    redis.write('EXISTS', ...crafted.map((_, n) => `{dw}:w:w${n}`));
    return (await redis.answers()).startsWith(':0');
  });
  const errors = (await member.call('errors')).filter((text) => /attributes .* not a JSON object/.test(text));
  // Lines of one kind are put together.
  assert.ok(errors.length >= 1);
});

test('whatever another program writes into the namespace ends no process, runs no handler and silences no worker', async (t) => {
  const server = await startRedis();
  atEnd(t, () => server.stop());
  const option = { redis: server.url, secret: SECRET, promise: 'native' };
  const members = await Promise.all(['a', 'b', 'c'].map((id) => Member.start(t, id, option)));
  const client = new Broker('client', { ...option, clustername: 'clients', rpcTimeout: 1000 });
  client.registerWorker(worker('Room'), { clustername: 'main' });
  await client.start();
  atEnd(t, () => client.destroy().then(() => client.quit()));
  const attributes = { recoverable: true };
  const agents = await Promise.all(
    Array.from({ length: WORKERS }, (_, n) => client.createWorker('Room', { id: `untouched${n}`, attributes }))
  );
  await Promise.all(Array.from({ length: 20 }, (_, n) => client.createWorker('Room', { id: `touched${n}`, attributes })));
  const epochs = (await Promise.all(agents.map((agent) => agent.ask('where')))).map(({ epoch }) => epoch);
  const redis = await RawRedis.connect(server.port);
  atEnd(t, () => redis.close());
  redis.write('HKEYS', '{dw}:brokers');
  const incarnations = (await redis.answers()).match(/[0-9a-f]{16,}/g);
  const writer = new Writer(redis, randomness(t), incarnations);

  let asked = agents.length;
  for (let round = 0; round < ROUNDS; round += 1) {
    for (let n = 0; n < WRITES_A_ROUND; n += 1) writer.write();
    await redis.answers();
    asked += agents.length;
    // What a table that is being put back costs a call is another matter.
    await Promise.allSettled(agents.map((agent) => agent.ask('where')));
    await sleep(20);
  }
  for (const [n, agent] of agents.entries()) {
    const answer = await until(`${agent.id} answers`, () => {
      asked += 1;
      return agent.ask('where');
    }, 15000);
    assert.equal(answer.epoch, epochs[n], 'the same instance');
    assert.deepEqual(answer.attributes, { recoverable: true, static: false });
  }
  for (const member of members) {
    assert.equal(member.process.exitCode, null, member.id);
    assert.equal(member.process.signalCode, null, member.id);
  }
  const handled = (await Promise.all(members.map((member) => member.call('handled')))).flat();
  assert.deepEqual(handled.filter(({ id }) => !id.startsWith('untouched')), [], 'nobody called these');
  assert.ok(handled.length <= asked, `${handled.length} handlers ran for ${asked} asks`);
  t.diagnostic(`${writer.count} writes, ${handled.length} of ${asked} asks handled`);
  // New workers can be made, and a broker that comes afterwards works.
  const late = await Member.start(t, 'late', option);
  await until('a worker is made', () => client.createWorker('Room', { id: 'afterwards' }), 15000);
  await late.call('find', 'untouched0');
});
