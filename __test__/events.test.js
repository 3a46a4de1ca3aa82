'use strict';

/** The events that tell an application how its cluster fares. Deaths of processes are in processes.test.js. */

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { Worker } = require('..');
const { onEachCoordinator, onRedis } = require('./helpers/systems');
const { until } = require('../support/wait');

/** Of which the first instance is made, and no other. */
function onlyOnce() {
  let made = 0;
  return class Fragile extends Worker {
    constructor(...given) {
      super(...given);
      made += 1;
      if (made > 1) throw new Error('not again');
    }
    onAsk(method, data) {
      return data;
    }
  };
}

describe('a worker that cannot be recovered', () => {
  onEachCoordinator((system) => {
    test('is reported as lost, and leaves no entry', async (t) => {
      const cluster = system(t);
      const Fragile = onlyOnce();
      const first = await cluster.start('first', { classes: [Fragile] });
      const { id } = await first.createWorker('Fragile', { attributes: { recoverable: true } });
      const second = await cluster.start('second', { classes: [Fragile] });
      const lost = [];
      second.on('workerLost', (event) => lost.push(event));
      await first.destroy();
      await until('the worker is told as lost', () => lost.length > 0);
      assert.equal(lost[0].id, id);
      assert.match(lost[0].reason, /not again/);
      await until('it has no entry', async () => (await second.findWorker(id)) === null);
      assert.equal(lost.length, 1);
    });
  });
});

describe('a broker whose Redis falls silent', () => {
  onRedis((system, server) => {
    test('is suspended before its lease ends, gives its workers nothing, and is resumed with all of them', async (t) => {
      class Room extends Worker {
        onAsk(method, data) {
          return data;
        }
      }
      const broker = await system(t).start('b', { classes: [Room], lease: { ttl: 2000, renew: 200 }, rpcTimeout: 20_000 });
      const told = [];
      for (const name of ['suspended', 'resumed']) broker.on(name, () => told.push(name));
      const agent = await broker.createWorker('Room');
      assert.equal(await agent.ask('echo', 1), 1);
      server().pause();
      let answered = false;
      let asked;
      try {
        await until('it is suspended', () => told.length > 0, 10_000);
        asked = agent.ask('echo', 2).then((value) => {
          answered = true;
          return value;
        });
        // One turn of the event loop would be enough for an answer.
        await new Promise((resolve) => { setImmediate(resolve); });
        await new Promise((resolve) => { setImmediate(resolve); });
        assert.equal(answered, false);
      } finally {
        server().resume();
      }
      assert.equal(await asked, 2);
      assert.deepEqual(told, ['suspended', 'resumed']);
    });
  });
});
