'use strict';

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');
const { test } = require('node:test');
const { proveTo, pester } = require('../scripts/support/hostile/attack');
const { KIND, message, question, split } = require('../scripts/support/hostile/protocol');
const { Member } = require('./helpers/members');
const { freePort } = require('../support/ports');
const { startRedis } = require('../support/redis-server');
const { rejection } = require('../support/wait');

const secret = 'the secret of the tests';

test('a broker outlives hostile frames of every kind, accepts none, and serves its honest peer', async () => {
  const script = path.join(__dirname, '..', 'scripts', 'hostile.js');
  const child = spawn(process.execPath, [script, '--frames', '6000'], { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (printed += text));
  const [code] = await once(child, 'close');
  assert.equal(code, 0, printed);
});

test('a peer answers no call that was made to another', async (t) => {
  const server = await startRedis();
  t.after(() => server.stop());
  const option = { redis: server.url, ns: 'forged', secret, rpcTimeout: 2000 };
  const port = await freePort();
  const callee = await Member.start(t, 'callee', option);
  const id = await callee.call('create', 'Room');
  const caller = await Member.start(t, 'caller', { ...option, listen: { port } }, ['Room']);
  await caller.call('ask', id, 'echo', 1);
  const pending = rejection(caller.call('ask', id, 'hang'));
  const forged = Array.from({ length: 2000 }, (_, call) => [
    message(KIND.reply, { call }, Buffer.from('"forged"')),
    message(KIND.failure, { call, encoding: 0, code: 14 }, Buffer.alloc(4)),
  ]);
  const { socket } = await proveTo(port, { ns: option.ns, secret, broker: 'hostile' });
  await pester(socket, forged.flat(), Buffer.alloc(4));
  assert.equal((await pending).code, 'DW_ERR_TIMEOUT');
});

test('an ask in an encoding that the broker does not know fails alone', async (t) => {
  const server = await startRedis();
  t.after(() => server.stop());
  const option = { redis: server.url, ns: 'later', secret };
  const port = await freePort();
  const callee = await Member.start(t, 'callee', { ...option, listen: { port } });
  const id = await callee.call('create', 'Room');
  const { socket } = await proveTo(port, { ns: option.ns, secret, broker: 'of a later version' });
  t.after(() => socket.destroy());
  socket.write(message(KIND.ask, { call: 5, encoding: 9 }, question(id, 'echo'), Buffer.from('later')));
  socket.write(message(KIND.ping, { call: 6, encoding: 0 }));
  let heard = Buffer.alloc(0);
  for (let frames = []; frames.length < 2; { frames } = split(heard)) heard = Buffer.concat([heard, (await once(socket, 'data'))[0]]);
  const [failed, pong] = split(heard).frames;
  assert.deepEqual([failed[0], failed.readBigUInt64BE(4)], [KIND.failure, 5n]);
  assert.match(String(failed), /Expected a known encoding of the payload/);
  assert.deepEqual([pong[0], pong.readBigUInt64BE(4)], [KIND.pong, 6n]);
});
