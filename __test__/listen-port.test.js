'use strict';

const assert = require('node:assert/strict');
const { once } = require('node:events');
const net = require('node:net');
const { describe, test } = require('node:test');
const { onRedis } = require('./helpers/systems');
const { freePort } = require('../support/ports');
const { rejection } = require('../support/wait');

async function occupied(t) {
  const port = await freePort();
  const holder = net.createServer().listen(port, '127.0.0.1');
  await once(holder, 'listening');
  t.after(() => holder.close());
  return { port, holder };
}

describe('a listen.port that another process listens on', () => {
  onRedis((system) => {
    test('is taken over once that process leaves', async (t) => {
      const { port, holder } = await occupied(t);
      const broker = system(t).broker('reloaded', { listen: { port } });
      const waiting = new Promise((resolve) => {
        broker.on('log', ({ level, message }) => level === 'warn' && message.includes(`127.0.0.1:${port}`) && resolve());
      });
      const started = broker.start();
      await waiting;
      holder.close();
      await started;
      const socket = net.connect(port, '127.0.0.1');
      await once(socket, 'connect');
      socket.destroy();
    });

    test('is not waited for where the address cannot be used at all', async (t) => {
      const broker = system(t).broker('elsewhere', { listen: { host: '192.0.2.1', port: await freePort() } });
      const error = await rejection(broker.start());
      assert.equal(error.code, 'DW_ERR_CONFIG');
    });
  });
});
