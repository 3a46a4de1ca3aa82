'use strict';

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { Member } = require('./helpers/members');
const { freePort } = require('../support/ports');
const { onRedis } = require('./helpers/systems');
const { until } = require('../support/wait');
const { echo } = require('./helpers/classes');

const LINUX = process.platform === 'linux';
const OVER_LOCAL = /Connected to broker "far" at .* over a local socket/;
const OVER_TCP = /Connected to broker "far" at 127\.0\.0\.1:\d+\./;

describe('brokers of one host', { skip: !LINUX && 'local sockets exist on Linux only' }, () => {
  onRedis((system) => {
    /** A broker in another process, and one here that asks it; how the latter says that it is connected. */
    async function wayToFar(t, { near = {}, far = {} }) {
      const s = system(t);
      const member = await Member.start(t, 'far', { ...s.option, ...far });
      const broker = s.broker('near', { clustername: 'callers', ...near });
      const said = [];
      broker.on('log', ({ message }) => said.push(message));
      broker.registerWorker(echo('Room'), { clustername: 'main' });
      await broker.start();
      const agent = await broker.createWorker('Room');
      assert.equal((await agent.ask('where')).broker, 'far');
      await until('it says how it is connected', () => said.some((text) => text.includes('Connected to broker "far"')));
      return { member, agent, way: said.find((text) => text.includes('Connected to broker "far"')) };
    }

    for (const sockets of ['loop', 'task']) {
      test(`reach each other over a local socket, with sockets: '${sockets}'`, async (t) => {
        const { agent, way } = await wayToFar(t, { near: { sockets }, far: { sockets } });
        assert.match(way, OVER_LOCAL);
        const data = 'x'.repeat(1024 * 1024);
        assert.equal(await agent.ask('echo', data), data);
      });
    }

    test('use TCP where either side has localSockets: false', async (t) => {
      assert.match((await wayToFar(t, { near: { localSockets: false } })).way, OVER_TCP);
      assert.match((await wayToFar(t, { far: { localSockets: false } })).way, OVER_TCP);
    });

    test('use the address that a broker advertises', async (t) => {
      const port = await freePort();
      const { way } = await wayToFar(t, { far: { listen: { port }, advertise: { host: '127.0.0.1', port } } });
      assert.match(way, OVER_TCP);
    });

    test('fail what is in flight at once when the peer is killed', async (t) => {
      const { member, agent, way } = await wayToFar(t, { near: { rpcTimeout: 60000 } });
      assert.match(way, OVER_LOCAL);
      const hanging = agent.ask('hang').then(assert.fail, (error) => error.code);
      await until('the handler has started', async () => (await agent.ask('count')) !== undefined);
      await member.kill();
      assert.equal(await hanging, 'DW_ERR_PEER_LOST');
    });
  });
});
