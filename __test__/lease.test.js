'use strict';

const assert = require('node:assert/strict');
const { once } = require('node:events');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { Worker } = require('..');
const { Clock, missing } = require('./chaos/tools/clock');
const { Member } = require('./helpers/members');
const { startRedis } = require('../support/redis-server');
const { rejection, sleep, until } = require('../support/wait');

/** The gate closes one second before such a lease ends. */
const SHORT = { ttl: 2000, renew: 200 };
const { FENCED } = Worker.DestroyCause;

let server;
let namespaces = 0;
before(async () => {
  server = await startRedis();
});
after(() => server.stop());

/** Brokers in processes of their own, in a namespace of their own. */
async function members(t, ids, more) {
  namespaces += 1;
  const option = { redis: server.url, ns: `l${namespaces}`, rpcTimeout: 20_000, ...more };
  return Promise.all(ids.map((id) => Member.start(t, id, option)));
}

/** A recoverable worker that lives at this member. */
async function roomAt(member, others) {
  for (;;) {
    const id = await member.call('create', 'Room', { attributes: { recoverable: true } });
    const { broker, epoch } = await others[0].call('ask', id, 'where');
    if (broker === member.id) return { id, epoch };
  }
}

/** Stops a process; it goes on when the test ends, so that it can be ended. */
function freeze(t, member) {
  process.kill(member.pid, 'SIGSTOP');
  t.after(() => member.process.signalCode === null && process.kill(member.pid, 'SIGCONT'));
  return () => process.kill(member.pid, 'SIGCONT');
}

/** A way to Redis that can be cut. */
async function cuttableWay(t) {
  const sockets = new Set();
  let cut = false;
  const way = net.createServer((near) => {
    if (cut) {
      near.destroy();
      return;
    }
    const far = net.connect(server.port, '127.0.0.1');
    near.pipe(far).pipe(near);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => {}).on('close', () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
  });
  await once(way.listen(0, '127.0.0.1'), 'listening');
  const set = (closed) => {
    cut = closed;
    if (cut) for (const socket of sockets) socket.destroy();
  };
  t.after(() => {
    set(true);
    way.close();
  });
  return { url: `redis://127.0.0.1:${way.address().port}`, cut: () => set(true), mend: () => set(false) };
}

describe('a process that is stopped', () => {
  test('for three seconds keeps its workers, and no broker takes it for dead', async (t) => {
    const [a, b] = await members(t, ['a', 'b']);
    const { id, epoch } = await roomAt(b, [a]);
    const thaw = freeze(t, b);
    const asked = a.call('ask', id, 'echo', 'while stopped');
    await sleep(3000);
    thaw();
    assert.equal(await asked, 'while stopped');
    assert.equal((await a.call('ask', id, 'where')).epoch, epoch);
    assert.deepEqual(await a.call('deaths'), []);
  });

  test('until it is replaced starts no handler, sends no answer, and learns that it was fenced', async (t) => {
    const way = await cuttableWay(t);
    const [a] = await members(t, ['a'], { lease: SHORT });
    const b = await Member.start(t, 'b', { redis: way.url, ns: `l${namespaces}`, rpcTimeout: 20_000, lease: SHORT });
    const { id, epoch } = await roomAt(b, [a]);
    const running = rejection(a.call('ask', id, 'later', 500));
    await until('the handler runs', async () => (await b.call('handled')).length >= 2);
    const thaw = freeze(t, b);
    // They lie in its socket when it wakes up.
    const lost = Array.from({ length: 50 }, (_, n) => rejection(a.call('ask', id, 'echo', n)));
    const own = b.call('ask', id, 'echo', 'from its own process').catch((error) => error);
    const stopped = Date.now();
    const next = await until('the worker lives elsewhere', async () => {
      const place = await a.call('ask', id, 'where');
      return place.broker === 'a' && place;
    }, 10_000);
    assert.ok(BigInt(next.epoch) > BigInt(epoch));
    // Nobody can tell it: it has to know by itself.
    way.cut();
    thaw();
    await until('it is suspended', async () => (await b.call('notices')).includes('suspended'));
    // The old instance's own epoch; a successor may well live in the same process later.
    const late = async () => (await b.call('handled')).filter((start) => start.epoch === epoch && start.at > stopped + 100);
    assert.deepEqual(await late(), []);
    way.mend();
    const causes = await until('it is destroyed', async () => {
      const ends = (await b.call('journal')).filter((entry) => entry.what === 'destroy' && entry.id === id);
      return ends.length > 0 && ends.map(({ cause }) => cause);
    });
    assert.deepEqual(causes, [FENCED]);
    for (const error of await Promise.all([running, ...lost])) {
      assert.deepEqual([error.code, error.delivered], ['DW_ERR_PEER_LOST', 'unknown']);
    }
    await own;
    assert.deepEqual(await late(), []);
    await until('it has joined again', async () => (await b.call('ask', id, 'where')).broker === 'a');
  });
});

describe('a broker that sees another time', () => {
  /** Sets its clock, cuts it off from Redis, and expects that no handler starts from the end of its lease on. */
  async function isSuspendedInTime(t, environment, setClock) {
    const way = await cuttableWay(t);
    const [a] = await members(t, ['a'], { lease: SHORT });
    const before = { ...process.env };
    Object.assign(process.env, environment);
    const starting = Member.start(t, 'b', { redis: way.url, ns: `l${namespaces}`, rpcTimeout: 20_000, lease: SHORT });
    for (const name of Object.keys(environment)) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
    const b = await starting;
    const { id, epoch } = await roomAt(b, [a]);
    await setClock(b);
    way.cut();
    await until('it is suspended', async () => (await b.call('notices')).includes('suspended'), SHORT.ttl + 1000);
    const handled = async () => (await b.call('handled')).filter((start) => start.epoch === epoch).length;
    const count = await handled();
    const own = b.call('ask', id, 'echo', 'late').catch((error) => error);
    await until('the worker lives elsewhere', async () => (await a.call('ask', id, 'where')).broker === 'a', 10_000);
    assert.equal(await handled(), count);
    way.mend();
    await own;
  }

  for (const [what, now] of [['stand still', () => Date.now()], ['are an hour behind', () => Date.now() - 3.6e6]]) {
    test(`because Date and the other clocks of JavaScript ${what} is suspended in time`, (t) =>
      isSuspendedInTime(t, {}, (b) => b.call('fakeTime', now())));
  }

  test('because the wall clock of the machine was set back an hour is suspended in time', { skip: missing() }, (t) => {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'dworker-test-'));
    t.after(() => fs.rmSync(directory, { recursive: true, force: true }));
    const clock = new Clock(directory);
    return isSuspendedInTime(t, clock.env, () => clock.set(-3600));
  });
});

describe('an answer that is made while the broker is suspended', () => {
  test('leaves when the lease has been renewed', async (t) => {
    const [a, b] = await members(t, ['a', 'b'], { lease: { ttl: 4000, renew: 200 } });
    const { id } = await roomAt(b, [a]);
    let answered = false;
    const asked = a.call('ask', id, 'later', 3500).then((value) => {
      answered = true;
      return value;
    });
    await until('the handler runs', async () => (await b.call('handled')).length >= 2);
    const began = Date.now();
    server.pause();
    try {
      await until('it is suspended', async () => (await b.call('notices')).includes('suspended'), 15_000);
      await until('the handler has ended', () => Date.now() - began > 3600);
      await b.call('handled');
      assert.equal(answered, false);
    } finally {
      server.resume();
    }
    assert.equal(await asked, 3500);
  });
});

describe('a blocked event loop', () => {
  test('longer than the lease costs its broker nothing but new workers', async (t) => {
    const [a, b] = await members(t, ['a', 'b'], { lease: SHORT, stall: { after: 2000 } });
    const { id, epoch } = await roomAt(b, [a]);
    const blocked = b.call('block', 5000);
    const began = Date.now();
    await until('two seconds are over', () => Date.now() - began > 2600);
    const ids = await Promise.all(Array.from({ length: 10 }, () => a.call('create', 'Room')));
    const places = await Promise.all(ids.map((made) => a.call('ask', made, 'where')));
    assert.deepEqual([...new Set(places.map(({ broker }) => broker))], ['a']);
    await blocked;
    assert.equal((await a.call('ask', id, 'where')).epoch, epoch);
    assert.deepEqual(await a.call('deaths'), []);
    await until('it is told of', async () => (await b.call('errors')).some((text) => /event loop has been blocked/.test(text)));
    await until('it gets workers again', async () => {
      const made = await a.call('create', 'Room');
      return (await a.call('ask', made, 'where')).broker === 'b';
    });
  });

  test('ends the process where that was chosen', async (t) => {
    const [a] = await members(t, ['a'], { stall: { after: 2000, action: 'abort' } });
    a.call('block', 60_000).catch(() => {});
    await a.ended;
    assert.equal(a.process.signalCode, 'SIGABRT');
  });
});

/** `b` hosts the room and loses Redis; `a` does not, and never takes anybody for dead. */
async function apart(t, more) {
  namespaces += 1;
  const option = { ns: `l${namespaces}`, rpcTimeout: 1000, healthCheckInterval: 0, lease: SHORT };
  const way = await cuttableWay(t);
  const a = await Member.start(t, 'a', { ...option, redis: server.url });
  const b = await Member.start(t, 'b', { ...option, ...more, redis: way.url });
  return { way, a, b, room: await roomAt(b, [a]) };
}

describe('a broker that is cut off from Redis', () => {
  test('sends asks back, which say so at their deadline, and takes up in order what still waits', async (t) => {
    const { way, a, b, room } = await apart(t);
    await a.call('ask', room.id, 'echo', 0);
    way.cut();
    await until('it is suspended', async () => (await b.call('notices')).includes('suspended'));
    const error = await rejection(a.call('ask', room.id, 'echo', 'too late'));
    assert.deepEqual([error.code, error.delivered], ['DW_ERR_SUSPENDED', 'no']);
    const sent = a.call('send', room.id, [['tell', 1], ['ask', 2], ['tell', 3]]);
    way.mend();
    await sent;
    assert.deepEqual(await until('all has arrived', async () => {
      const seen = await a.call('ask', room.id, 'seen');
      return seen.length >= 4 && seen;
    }), [0, 1, 2, 3]);
    assert.equal((await a.call('ask', room.id, 'where')).epoch, room.epoch);
  });

  test('serves on where that was chosen, until the process itself is stopped', async (t) => {
    const { way, a, b, room } = await apart(t, { onRedisLoss: 'serve' });
    way.cut();
    const began = Date.now();
    await until('the lease has run out for long', () => Date.now() - began > 4000);
    assert.equal(await a.call('ask', room.id, 'echo', 'served'), 'served');
    const thaw = freeze(t, b);
    await sleep(3500);
    thaw();
    await until('it is suspended', async () => (await b.call('notices')).includes('suspended'));
    way.mend();
    await until('it goes on', async () => (await b.call('notices')).includes('resumed'));
    assert.equal(await a.call('ask', room.id, 'echo', 'again'), 'again');
  });
});
