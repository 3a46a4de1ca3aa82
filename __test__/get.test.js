'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Agent, Worker } = require('..');
const { onEachCoordinator } = require('./helpers/systems');
const { echo, worker } = require('./helpers/classes');
const { called, rejection, sleep, until } = require('../support/wait');

/** A class that counts its instances and notes what it was sent. */
function room(name = 'Room') {
  const log = [];
  const Room = worker(name, {
    onCreate(info) {
      log.push(`create ${this.id} ${info.cause}`);
      this.load = 1;
      this.seen = [];
    },
    onAsk(method, data) {
      this.seen.push(data);
      if (method === 'end') this.destroy();
      if (method === 'return') this.destroy({ noRecover: false });
      return { seen: this.seen, attributes: this.attributes, epoch: this.epoch };
    },
    onTell(method, data) {
      this.seen.push(data);
    },
    onDestroy(info) {
      log.push(`destroy ${this.id} ${info.cause}`);
    },
  });
  return { Room, log };
}

onEachCoordinator((system) => {
  test('an agent is made without a word, and its first ask makes the worker', async (t) => {
    const { Room, log } = room();
    const broker = await system(t).start('b', { classes: [Room] });
    const agent = broker.get(Room, 'u/7');
    assert.ok(agent instanceof Agent);
    assert.equal(agent.id, 'Room/u/7');
    await sleep(20);
    assert.deepEqual(log, []);
    assert.deepEqual((await agent.ask('m', 1)).seen, [1]);
    assert.deepEqual((await broker.get('Room', 'u/7').ask('m', 2)).seen, [1, 2]);
    assert.deepEqual(log, ['create Room/u/7 0']);
    assert.equal((await broker.findWorker('Room/u/7')).id, 'Room/u/7');
  });

  test('a tell makes the worker too, and messages keep their order', async (t) => {
    const { Room } = room();
    const s = system(t);
    await s.start('a', { classes: [Room] });
    const b = await s.start('b');
    const agent = b.get('Room', 'x', { clustername: 'main' });
    const sent = [];
    for (let n = 0; n < 20; n += 1) sent.push(n % 3 === 0 ? agent.tell('m', n) : agent.ask('m', n));
    await Promise.all(sent);
    assert.deepEqual((await agent.ask('m', 20)).seen, [...Array(21).keys()]);
  });

  test('first calls from many brokers at once make one worker, and each sender keeps its order', async (t) => {
    const { Room, log } = room();
    const s = system(t);
    const brokers = [];
    for (const id of ['a', 'b', 'c', 'd']) brokers.push(await s.start(id, { classes: [Room] }));
    const sent = brokers.flatMap((broker, sender) => {
      const agent = broker.get(Room, 'one');
      return [0, 1, 2, 3, 4].map((n) => agent.ask('m', [sender, n]));
    });
    await Promise.all(sent);
    const { seen } = await brokers[0].get(Room, 'one').ask('m', [9, 0]);
    for (const sender of [0, 1, 2, 3]) {
      assert.deepEqual(seen.filter(([by]) => by === sender).map(([, n]) => n), [0, 1, 2, 3, 4]);
    }
    assert.deepEqual(log, ['create Room/one 0']);
  });

  test('a class without a key has one worker, whose id is its name', async (t) => {
    const { Room } = room();
    const s = system(t);
    const a = await s.start('a', { classes: [Room] });
    const b = await s.start('b', { classes: [Room] });
    const { epoch, attributes } = await a.get(Room).ask('m');
    assert.equal(a.get(Room).id, 'Room');
    assert.deepEqual(attributes, { static: true });
    assert.equal((await b.get('Room').ask('m')).epoch, epoch);
  });

  test('slashes and percent signs of a class name are encoded, those of a key are not', async (t) => {
    const broker = await system(t).start('b');
    broker.registerWorker('shop/50%', echo());
    const agent = broker.get('shop/50%', 'a/b%');
    assert.equal(agent.id, 'shop%2F50%25/a/b%');
    assert.equal(await agent.ask('m', 1), 1);
  });

  test('attributes are those of the agent that made the worker', async (t) => {
    const { Room } = room();
    const broker = await system(t).start('b', { classes: [Room] });
    const made = await broker.get(Room, 'x', { attributes: { owner: 'me', list: [] } }).ask('m');
    assert.deepEqual(made.attributes, { owner: 'me', list: [], static: false });
    const found = await broker.get(Room, 'x', { attributes: { owner: 'you' } }).ask('m');
    assert.deepEqual(found.attributes, { owner: 'me', list: [], static: false });
  });

  test('a class names its agent', async (t) => {
    class RoomAgent extends Agent {}
    const { Room } = room();
    Room.agent = RoomAgent;
    const broker = await system(t).start('b', { classes: [Room] });
    assert.ok(broker.get(Room, 'x') instanceof RoomAgent);
    assert.deepEqual((await broker.get(Room, 'x').ask('m', 1)).seen, [1]);
  });

  test('wrong arguments are refused at once', async (t) => {
    const { Room } = room();
    const broker = system(t).broker('b', { classes: [Room] });
    assert.throws(() => broker.get(7), { code: 'DW_ERR_CONFIG' });
    assert.throws(() => broker.get(Room, ''), { code: 'DW_ERR_CONFIG' });
    assert.throws(() => broker.get(Room, 7), { code: 'DW_ERR_CONFIG' });
    assert.throws(() => broker.get(Room, 'x'.repeat(600)), { code: 'DW_ERR_CONFIG' });
    assert.throws(() => broker.get('Hall', 'x'), { code: 'DW_ERR_CLASS_UNKNOWN' });
    assert.throws(() => broker.get(room().Room, 'x'), { code: 'DW_ERR_CLASS_UNKNOWN' });
    broker.registerWorker('Parlour', Room);
    assert.throws(() => broker.get(Room, 'x'), { code: 'DW_ERR_CONFIG', message: /Room and Parlour/ });
    assert.equal(broker.get('Parlour', 'x').id, 'Parlour/x');
  });

  test('an onCreate that rejects fails the calls that wait for it and leaves nothing', async (t) => {
    let fails = true;
    const s = system(t);
    const Bad = worker('Bad', {
      async onCreate() {
        await sleep(20);
        if (fails) throw Object.assign(new Error('no money'), { code: 'E_MONEY' });
      },
      onAsk: () => 'fine',
    });
    const a = await s.start('a', { classes: [Bad] });
    const b = await s.start('b');
    const agents = [a.get(Bad, 'x'), b.get('Bad', 'x', { clustername: 'main' })];
    const errors = await Promise.all(agents.flatMap((agent) => [rejection(agent.ask('m')), rejection(agent.ask('m'))]));
    errors.push(await rejection(a.get(Bad, 'y').tell('m')));
    for (const error of errors) {
      assert.equal(error.code, 'DW_ERR_ACTIVATION', String(error));
      assert.equal(error.delivered, 'no');
      assert.ok(error.cause instanceof Error, 'it has a cause');
      assert.deepEqual([error.cause.message, error.cause.code], ['no money', 'E_MONEY']);
    }
    assert.equal(await a.findWorker('Bad/x'), null);
    fails = false;
    assert.equal(await agents[1].ask('m'), 'fine');
  });

  test('a constructor that throws fails the calls as onCreate does', async (t) => {
    const Bad = worker('Bad', {}, () => {
      throw new TypeError('no room');
    });
    const broker = await system(t).start('b', { classes: [Bad] });
    const error = await rejection(broker.get(Bad, 'x').ask('m'));
    assert.deepEqual([error.code, error.cause.message, error.cause.name], ['DW_ERR_ACTIVATION', 'no room', 'TypeError']);
  });

  test('an onCreate of a worker that createWorker made may reject as ever', async (t) => {
    const Bad = worker('Bad', { onCreate: () => Promise.reject(new Error('never mind')), onAsk: () => 'fine' });
    const broker = await system(t).start('b', { classes: [Bad] });
    assert.equal(await (await broker.createWorker('Bad')).ask('m'), 'fine');
  });

  test('a worker that ended itself is made again by the next message of such an agent, and by no other', async (t) => {
    const { Room, log } = room();
    const s = system(t);
    const a = await s.start('a', { classes: [Room] });
    const b = await s.start('b', { classes: [Room] });
    const agent = b.get(Room, 'x');
    await agent.ask('end', 1);
    const found = await a.findWorker('Room/x');
    await until('it is gone', async () => (await a.findWorker('Room/x')) === null);
    if (found !== null) assert.equal((await rejection(found.ask('m'))).code, 'DW_ERR_WORKER_NOT_FOUND');
    assert.deepEqual((await agent.ask('m', 2)).seen, [2]);
    assert.deepEqual(log, ['create Room/x 0', 'destroy Room/x 0', 'create Room/x 0']);
  });

  test('messages in flight while the worker ends make the next one', async (t) => {
    const { Room } = room();
    const s = system(t);
    await s.start('a', { classes: [Room] });
    const b = await s.start('b');
    const agent = b.get('Room', 'x', { clustername: 'main' });
    await agent.ask('m', 0);
    const answers = await Promise.all([agent.ask('end', 1), agent.ask('m', 2), agent.ask('m', 3)]);
    assert.deepEqual(answers[2].seen.slice(-2), [2, 3]);
  });

  test('an agent destroys its worker after the messages before, and no other way makes it again', async (t) => {
    const { Room, log } = room();
    const s = system(t);
    await s.start('a', { classes: [Room] });
    const b = await s.start('b', { classes: [Room] });
    const agent = b.get(Room, 'x');
    await agent.destroy();
    assert.deepEqual(log, [], 'there was none');
    const [answer] = await Promise.all([agent.ask('m', 1), agent.destroy()]);
    assert.deepEqual(answer.seen, [1]);
    assert.equal(await b.findWorker('Room/x'), null);
    assert.deepEqual(log, ['create Room/x 0', 'destroy Room/x 0']);
    await called((callback) => agent.destroy(callback));
    assert.deepEqual((await agent.ask('m', 2)).seen, [2]);
    await (await b.createWorker('Room', { id: 'y' })).destroy();
    assert.equal(await b.findWorker('y'), null);
  });

  test('a worker outlives a broker that leaves without recovering anything, asleep, and the next message wakes it', async (t) => {
    const { Room, log } = room();
    const s = system(t);
    const a = await s.start('a', { classes: [Room] });
    const b = await s.start('b');
    const agent = b.get('Room', 'x', { clustername: 'main', attributes: { list: [], digits: 0.1 } });
    const { epoch } = await agent.ask('m', 1);
    await a.destroy({ noRecover: true });
    assert.equal((await (await s.start('c', { classes: [Room] })).findWorker('Room/x')).id, 'Room/x');
    assert.deepEqual(log, ['create Room/x 0', 'destroy Room/x 1'], 'looking for it wakes nobody');
    const woken = await agent.ask('m', 2);
    assert.ok(BigInt(woken.epoch) > BigInt(epoch));
    assert.deepEqual([woken.seen, woken.attributes], [[2], { list: [], digits: 0.1, static: false }]);
    assert.deepEqual(log.slice(2), [`create Room/x ${Worker.CreateCause.WAKE}`]);
  });

  test('createWorker finds a worker that is asleep; its agent wakes it and makes none', async (t) => {
    const { Room, log } = room();
    const s = system(t);
    const a = await s.start('a', { classes: [Room] });
    await a.get(Room, 'x').ask('return', 1);
    const agent = await until('it sleeps', async () => {
      const found = await a.createWorker('Room', { id: 'Room/x' });
      return log.length === 2 && found;
    });
    assert.deepEqual((await agent.ask('m', 2)).seen, [2]);
    assert.deepEqual(log, ['create Room/x 0', 'destroy Room/x 0', 'create Room/x 3']);
    await agent.destroy();
    assert.equal((await rejection(agent.ask('m'))).code, 'DW_ERR_WORKER_NOT_FOUND');
  });

  test('a worker that is asleep is destroyed without being woken', async (t) => {
    const { Room, log } = room();
    const s = system(t);
    const a = await s.start('a', { classes: [Room] });
    const b = await s.start('b');
    const agent = b.get('Room', 'x', { clustername: 'main' });
    await agent.ask('m', 1);
    await a.destroy();
    await agent.destroy();
    assert.deepEqual(log, ['create Room/x 0', 'destroy Room/x 1']);
    const c = await s.start('c', { classes: [Room] });
    assert.equal(await c.findWorker('Room/x'), null);
  });

  test('the id of a worker of another class is refused', async (t) => {
    const { Room } = room();
    const s = system(t);
    const broker = await s.start('b', { classes: [Room, echo('Hall')] });
    await broker.createWorker('Hall', { id: 'Room/x' });
    assert.equal(await broker.get(Room, 'x').ask('m', 1), 1, 'an existing worker is who has the id');
  });

  test('a broker that is not started, or none that hosts the class, fails the calls', async (t) => {
    const { Room } = room();
    const s = system(t);
    const idle = s.broker('i', { classes: [Room] });
    assert.equal((await rejection(idle.get(Room, 'x').ask('m'))).code, 'DW_ERR_STATE');
    const lonely = await s.start('l');
    const error = await rejection(lonely.get('Room', 'x', { clustername: 'main' }).ask('m', 1, { timeout: 300 }));
    assert.equal(error.delivered, 'no');
    const late = lonely.get('Room', 'x', { clustername: 'main' }).ask('m', 1, { timeout: 10_000 });
    await idle.start();
    assert.deepEqual((await late).seen, [1], 'it waits for a broker that hosts the class');
  });

  test('an agent goes on after its broker was restarted', async (t) => {
    const { Room } = room();
    const broker = await system(t).start('b', { classes: [Room] });
    const agents = [broker.get(Room, 'x'), broker.get(Room, 'y', { attributes: { n: 1 } })];
    for (const agent of agents) await agent.ask('m', 1);
    await broker.restart();
    for (const agent of agents) assert.deepEqual((await agent.ask('m', 2)).seen, [2]);
  });
});
