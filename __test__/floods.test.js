'use strict';

const assert = require('node:assert/strict');
const { once } = require('node:events');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');
const { Broker, Router } = require('..');
const { proveTo } = require('../scripts/support/hostile/attack');
const { KIND, message, split } = require('../scripts/support/hostile/protocol');
const { worker } = require('./helpers/classes');
const { atEnd } = require('./helpers/cleanup');
const { Member } = require('./helpers/members');
const { Child } = require('../support/child');
const { freePort } = require('../support/ports');
const { startRedis } = require('../support/redis-server');
const { until } = require('../support/wait');

const MB = 1e6;
const SECRET = 'the secret of the tests';
/** How many workers of one connection may be taken up at the same time (src/broker/activation/requests.rs). */
const MAX_CREATING = 16384;

test('small messages that wait do not keep the large ones that came between them', async (t) => {
  const { receiver, fast, slow } = await hungReceiver(t);
  const before = await receiver.call('residentBytes');
  // Each waiting message lies in another read buffer of 128 KiB: 500 of them would keep 64 MB.
  const between = 'x'.repeat(120 * 1024);
  for (let n = 0; n < 500; n += 1) {
    await slow.tell('echo', 1);
    await fast.ask('where', between);
  }
  const grown = (await receiver.call('residentBytes')) - before;
  t.diagnostic(`grown by ${(grown / MB).toFixed(0)} MB`);
  assert.ok(grown < 40 * MB, `grown by ${(grown / MB).toFixed(0)} MB`);
});

/** A receiver with a worker `fast`, and one `slow` that takes one message at a time and never ends the first; a sender's agents. */
async function hungReceiver(t) {
  const server = await startRedis();
  atEnd(t, () => server.stop());
  const option = { redis: server.url, promise: 'native', rpcTimeout: 60_000 };
  const receiver = await Member.start(t, 'receiver', option, ['Room', 'Queue']);
  await receiver.call('create', 'Room', { id: 'fast' });
  await receiver.call('create', 'Queue', { id: 'slow' });
  const sender = new Broker('sender', { ...option, clustername: 'clients' });
  for (const name of ['Room', 'Queue']) sender.registerWorker(worker(name), { clustername: 'main' });
  await sender.start();
  atEnd(t, () => sender.destroy().then(() => sender.quit()));
  const [fast, slow] = await Promise.all(['fast', 'slow'].map((id) => sender.findWorker(id)));
  slow.ask('hang', 0).catch(() => {});
  await fast.ask('where', 'x');
  return { receiver, sender, fast, slow };
}

test('8 000 messages of one byte that wait, among others that do not, hold less than 16 MiB', async (t) => {
  const { receiver, sender, fast, slow } = await hungReceiver(t);
  const lost = [];
  sender.on('log', ({ message }) => /lost/.test(message) && lost.push(message));
  const between = 'x'.repeat(4000);
  const load = async (waiting) => {
    for (let n = 0; n < 8000; n += 1) {
      if (waiting) await slow.tell('echo', 1);
      for (let others = 0; others < 2; others += 1) await fast.tell('drop', between);
      if (n % 50 === 0) await fast.ask('where');
    }
    await fast.ask('where');
  };
  // First without them: what the process keeps for the others does not count.
  await load(false);
  const before = await receiver.call('residentBytes');
  await load(true);
  const grown = (await receiver.call('residentBytes')) - before;
  t.diagnostic(`grown by ${(grown / MB).toFixed(1)} MB`);
  assert.deepEqual(lost, []);
  assert.ok(grown < 16 * 1024 * 1024, `grown by ${(grown / MB).toFixed(1)} MB`);
});

test('what waits for one worker is limited to 64 MiB, as it is held', async (t) => {
  const { receiver, slow } = await hungReceiver(t);
  const before = await receiver.call('residentBytes');
  const text = 'x'.repeat(1024 * 1024);
  const codes = [];
  // A buffer may be twice as long as its message: about 32 of them wait.
  for (let n = 0; n < 40; n += 1) {
    slow.ask('echo', text).catch(({ code, delivered }) => codes.push(`${code} ${delivered}`));
    await new Promise(setImmediate);
  }
  await until('those beyond the limit are refused', () => codes.length >= 8, 20000);
  assert.deepEqual([...new Set(codes)], ['DW_ERR_OVERLOADED no']);
  assert.ok(codes.length <= 10, `${codes.length} were refused`);
  const grown = (await receiver.call('residentBytes')) - before;
  t.diagnostic(`grown by ${(grown / MB).toFixed(0)} MB`);
  assert.ok(grown < 120 * MB, `grown by ${(grown / MB).toFixed(0)} MB`);
});

test('a member that floods a blocked one with sync frames fills no memory', async (t) => {
  const server = await startRedis();
  atEnd(t, () => server.stop());
  const port = await freePort();
  const member = await Member.start(t, 'member', { redis: server.url, ns: 'syncs', secret: SECRET, listen: { port } });
  await member.call('create', 'Room', { id: 'honest' });
  const { socket } = await proveTo(port, { ns: 'syncs', secret: SECRET, broker: 'hostile' });
  atEnd(t, () => socket.destroy());
  const before = await member.call('residentBytes');
  const flood = 300_000;
  let synced = 0;
  let rest = Buffer.alloc(0);
  socket.on('data', (bytes) => {
    const found = split(Buffer.concat([rest, bytes]));
    rest = Buffer.from(found.rest);
    synced += found.frames.filter((frame) => frame[0] === KIND.synced).length;
  });
  const blocked = member.call('block', 500);
  for (let call = 1; call <= flood; call += 10_000) {
    const block = Array.from({ length: 10_000 }, (_, n) => message(KIND.sync, { call: call + n, encoding: 0 }, Buffer.from('w')));
    if (!socket.write(Buffer.concat(block))) await once(socket, 'drain');
  }
  await blocked;
  const peak = await member.call('residentBytes');
  await until('each is answered', () => synced === flood, 60000);
  assert.equal(await member.call('ask', 'honest', 'echo', 1), 1);
  const grown = Math.max(peak, await member.call('residentBytes')) - before;
  t.diagnostic(`grown by ${(grown / MB).toFixed(0)} MB`);
  assert.ok(grown < 100 * MB, `grown by ${(grown / MB).toFixed(0)} MB`);
});

test('a member that asks for workers without end is refused, and fills no memory', async (t) => {
  const server = await startRedis();
  atEnd(t, () => server.stop());
  const port = await freePort();
  const member = await Member.start(t, 'member', { redis: server.url, ns: 'flood', secret: SECRET, listen: { port } });
  const { socket } = await proveTo(port, { ns: 'flood', secret: SECRET, broker: 'hostile' });
  atEnd(t, () => socket.destroy());
  const before = await member.call('residentBytes');
  const flood = 50000;
  const counted = { refused: 0, others: 0 };
  let rest = Buffer.alloc(0);
  socket.on('data', (bytes) => {
    const found = split(Buffer.concat([rest, bytes]));
    rest = Buffer.from(found.rest);
    for (const frame of found.frames) {
      if (frame.includes('already creating the most workers')) counted.refused += 1;
      else counted.others += 1;
    }
  });
  server.pause();
  try {
    let block = [];
    for (let call = 1; call <= flood; call += 1) {
      const id = `worker-${call}-${'x'.repeat(200)}`;
      block.push(message(KIND.create, { call }, Buffer.alloc(4), Buffer.from(id)));
      if (block.length === 1000) {
        if (!socket.write(Buffer.concat(block))) await once(socket, 'drain');
        block = [];
      }
    }
    await until('all but what waits is answered', () => counted.refused + counted.others >= flood - MAX_CREATING, 20000);
    // Of what waits a few fail in their time, and others take their places.
    assert.ok(counted.refused > (flood - MAX_CREATING) * 0.8, `${counted.refused} were refused`);
  } finally {
    server.resume();
  }
  const grown = (await member.call('residentBytes')) - before;
  t.diagnostic(`grown by ${(grown / MB).toFixed(0)} MB`);
  assert.ok(grown < 100 * MB, `grown by ${(grown / MB).toFixed(0)} MB`);
  // The places are free again once they are answered.
  await until('the others are answered', () => counted.others >= MAX_CREATING, 20000);
  await member.call('create', 'Room', { id: 'honest' });
  assert.equal(await member.call('ask', 'honest', 'echo', 1), 1);
});

test('a router that is busy reads no further, and its peer is refused', async (t) => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'dworker-test-'));
  atEnd(t, () => fs.rmSync(directory, { recursive: true, force: true }));
  const goOn = path.join(directory, 'go-on');
  const receiver = new Child(path.join(__dirname, 'fixtures', 'router-receiver.js'), [goOn], { name: 'The process of the receiver' });
  atEnd(t, () => receiver.kill());
  const { address, port } = await receiver.ready();
  const residentBytes = () => 1024 * Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${receiver.pid}/status`, 'utf8'))[1]);
  const router = new Router();
  atEnd(t, () => router.close());
  const text = 'y'.repeat(40000);
  let [number, sent, refused, peak] = [0, 0, 0, 0];
  const codes = new Set();
  while (refused === 0 && sent < 20000) {
    const requests = Array.from({ length: 100 }, () => router.request({ host: address, port }, { number: number++, text }));
    for (const { status, reason } of await Promise.allSettled(requests)) {
      if (status === 'fulfilled') sent += 1;
      else (refused += 1), codes.add(reason.code);
    }
    if (process.platform === 'linux') peak = Math.max(peak, residentBytes());
  }
  assert.deepEqual([...codes], ['DW_ERR_OVERLOADED'], `${sent} were taken`);
  if (process.platform === 'linux') peak = Math.max(peak, residentBytes());
  t.diagnostic(`${sent} taken, ${refused} refused, at most ${(peak / MB).toFixed(0)} MB`);
  assert.ok(peak < 200 * MB, `${(peak / MB).toFixed(0)} MB`);
  fs.writeFileSync(goOn, '');
  const asked = () => {
    const state = receiver.message();
    receiver.process.send('how many');
    return state;
  };
  const all = await until('what was taken arrives', async () => {
    const state = await asked();
    return state.handled === sent && state;
  }, 20000);
  assert.ok(all.inOrder);
});
