'use strict';

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { Broker } = require('..');
const { echo } = require('./helpers/classes');
const { atEnd } = require('./helpers/cleanup');
const { startSentinels } = require('./helpers/sentinels');
const { until } = require('../support/wait');

/**
 * After the promotion, which the sentinels alone decide. They tell of it up to 1 s later; then the next renewal, within
 * 0.5 s, finds another server and the brokers agree on it.
 */
const WHOLE_AGAIN_MS = 2500;

/** Two brokers that take note of what must not happen. */
async function twoBrokers(t, redis) {
  const evictions = [];
  const brokers = [];
  for (const id of ['a', 'b']) {
    const broker = new Broker(id, { redis });
    broker.registerWorker(echo());
    broker.on('brokerDead', (dead) => evictions.push(`${id} took ${dead} for dead`));
    broker.on('workerLost', ({ id: worker }) => evictions.push(`${id} lost ${worker}`));
    atEnd(t, async () => {
      if (broker.state === Broker.State.ACTIVE) await broker.destroy({ noRecover: true }).catch(() => {});
      broker.quit();
    });
    await broker.start();
    brokers.push(broker);
  }
  return { brokers, evictions };
}

describe('behind sentinels', () => {
  for (const [what, fault, repair] of [
    ['killed', (master) => master.stop(), () => {}],
    ['frozen and later resumed', (master) => master.pause(), (master) => master.resume()],
  ]) {
    test(`brokers create and find workers again within 2.5 s of the promotion after the master was ${what}, and no broker is taken for dead`, async (t) => {
      const watched = await startSentinels();
      atEnd(t, () => watched.stop());
      const { brokers: [a, b], evictions } = await twoBrokers(t, watched.url);
      const agents = await Promise.all(Array.from({ length: 10 }, () => a.createWorker('Echo', { attributes: { recoverable: true } })));
      for (const agent of agents) await agent.ask('m', 0);
      const began = Date.now();
      await fault(watched.master);
      const promotion = until('the replica is promoted', async () => (await watched.replica.command('ROLE')).includes('master') && Date.now(), 15000);
      promotion.catch(() => {});
      // on known routes calls go on all the while
      for (const [index, agent] of agents.entries()) assert.equal(await agent.ask('m', index), index);
      for (const broker of [a, b]) await until('a worker is created', () => broker.createWorker('Echo'), 10000);
      for (const { id } of agents) await until(`${id} is found`, () => b.findWorker(id), 10000);
      const end = Date.now();
      const took = end - (await promotion);
      console.log(`# whole again ${end - began} ms after the fault, ${took} ms after the promotion`);
      repair(watched.master);
      for (let round = 0; round < 20; round += 1) {
        const agent = await a.createWorker('Echo');
        assert.equal(await (await b.findWorker(agent.id)).ask('m', round), round);
      }
      for (const [index, agent] of agents.entries()) assert.equal(await agent.ask('m', index), index);
      assert.deepEqual(evictions, []);
      assert.ok(took < WHOLE_AGAIN_MS, `${took} ms`);
    });
  }
});
