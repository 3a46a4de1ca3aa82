'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { describe, test } = require('node:test');
const { Member } = require('./helpers/members');
const { onRedis } = require('./helpers/systems');
const { rejection, until } = require('../support/wait');
const { echo } = require('./helpers/classes');

/** What an answer may take that nothing holds up: far less than the peer's loop stands still. */
const PROMPT_MS = 1000;
const STILL_MS = 4000;
const MIB = 1024 * 1024;

for (const sockets of ['loop', 'task']) {
  describe(`sockets: '${sockets}'`, () => {
    onRedis((system) => {
      const start = (t, id, option) => Member.start(t, id, { ...option, sockets });

      /** A broker that hosts nothing itself. */
      const caller = async (s) => {
        const near = s.broker('near', { sockets, clustername: 'callers', rpcTimeout: 60000 });
        near.registerWorker(echo('Room'), { clustername: 'main' });
        await near.start();
        return near;
      };

      test('is what the broker says that it does', async (t) => {
        const broker = system(t).broker('b', { sockets });
        const heard = [];
        broker.on('log', ({ message }) => heard.push(message));
        await broker.start();
        await until('it says so', () => heard.some((text) => text.includes('Listening')));
        const said = heard.find((text) => text.includes('Listening'));
        assert.match(said, sockets === 'loop' ? /event loop of Node/ : /threads of the core/);
      });

      test('a message of the limit goes there and back', async (t) => {
        const s = system(t);
        await start(t, 'far', { ...s.option, rpcTimeout: 60000 });
        const near = await caller(s);
        const agent = await near.createWorker('Room');
        const data = 'x'.repeat(16 * MIB - 512);
        assert.equal((await agent.ask('echo', data)).length, data.length);
        assert.equal(await agent.ask('echo', 'small'), 'small');
      });

      test('a peer whose event loop is blocked fills its own outbox, and disturbs no other peer', async (t) => {
        const s = system(t);
        const stuck = await start(t, 'stuck', s.option);
        await stuck.call('create', 'Room', { id: 'stuck' });
        const well = await start(t, 'well', s.option);
        await well.call('create', 'Room', { id: 'one' });
        await well.call('create', 'Room', { id: 'two' });
        const near = await caller(s);
        const agent = await near.findWorker('stuck');
        const others = await Promise.all(['one', 'two'].map((id) => near.findWorker(id)));
        const places = await Promise.all(others.map((other) => other.ask('where')));
        const other = others[places.findIndex(({ broker }) => broker === 'well')];
        const woken = agent.ask('block', STILL_MS);
        const data = 'x'.repeat(MIB);
        let taken = 0;
        let refused;
        for (let n = 0; n < 300 && refused === undefined; n += 1) {
          await agent.tell('kept', data).then(() => { taken += 1; }, (error) => { refused = error; });
        }
        assert.equal(refused?.code, 'DW_ERR_OVERLOADED');
        const asked = Date.now();
        await other.ask('echo', 'here');
        assert.ok(Date.now() - asked < PROMPT_MS, `${Date.now() - asked} ms`);
        assert.equal(await woken, 'awake');
        await until('all that was taken arrived', async () => (await agent.ask('count')) === taken, 20000);
      });

      test('the answer to a single ask leaves before what the application still does in that turn', async (t) => {
        const s = system(t);
        // A renewal writes what lies there, too: none comes meanwhile.
        const far = await start(t, 'far', { ...s.option, lease: { ttl: 60000, renew: 20000 } });
        await far.call('create', 'Room', { id: 'far' });
        const near = await caller(s);
        const agent = await near.findWorker('far');
        const took = [];
        for (let round = 0; round < 3; round += 1) {
          // So that nothing else wakes the peer at the same time.
          for (let n = 0; n < 5; n += 1) await agent.ask('echo', n);
          const asked = Date.now();
          assert.equal(await agent.ask('block after', 1.5 * PROMPT_MS), 'answered');
          took.push(Date.now() - asked);
        }
        // Something else may come with one of them.
        assert.ok(Math.min(...took) < PROMPT_MS, `${took} ms`);
      });

      test('the death of a peer ends what was in flight at once', async (t) => {
        const s = system(t);
        const far = await start(t, 'far', s.option);
        await far.call('create', 'Room', { id: 'far' });
        const near = await caller(s);
        const agent = await near.findWorker('far');
        await agent.ask('echo', 1);
        const hanging = rejection(agent.ask('hang'));
        // Behind it, so that it has arrived.
        await agent.ask('echo', 2);
        await far.kill();
        assert.equal((await hanging).code, 'DW_ERR_PEER_LOST');
      });

      test('brokers that start and end again and again leave no descriptor', { skip: !fs.existsSync('/proc/self/fd') && 'counts in /proc' }, async (t) => {
        const s = system(t);
        const far = await start(t, 'far', s.option);
        await far.call('create', 'Room', { id: 'far' });
        const near = await caller(s);
        await near.destroy();
        const live = async () => {
          await near.start();
          assert.equal(await (await near.findWorker('far')).ask('echo', 1), 1);
          await near.destroy();
        };
        await live();
        const count = () => fs.readdirSync('/proc/self/fd').length;
        const before = count();
        for (let n = 0; n < 10; n += 1) await live();
        await until(`no more than ${before} descriptors`, () => count() <= before);
      });
    });
  });
}
