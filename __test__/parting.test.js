'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Worker } = require('..');
const { onEachCoordinator } = require('./helpers/systems');
const { rejection, until } = require('../support/wait');

onEachCoordinator((system) => {
  /** A class whose 'hold' is answered when the test says so, by the instance that was asked. */
  function holding(statics = {}) {
    const held = [];
    class Held extends Worker {
      onAsk(method, data) {
        if (method !== 'hold') return Promise.resolve('here');
        const turn = { worker: this, signal: Worker.context().signal };
        held.push(turn);
        if (data) this.destroy(data);
        return new Promise((resolve) => {
          turn.answer = () => resolve('answered');
        });
      }
    }
    Object.assign(Held, statics);
    return { Held, held };
  }

  const recoverable = { id: 'w', attributes: { recoverable: true } };

  /** Home, where 'w' lives, and another broker that can run it too. */
  async function twoBrokers(t, Held) {
    const cluster = system(t);
    const home = await cluster.start('home', { classes: [Held] });
    await home.createWorker('Held', recoverable);
    const other = await cluster.start('other', { classes: [Held] });
    return { home, other, agent: await other.findWorker('w') };
  }

  function isCut(error) {
    assert.deepEqual([error.code, error.delivered], ['DW_ERR_PEER_LOST', 'unknown']);
    assert.match(error.message, /"w" ended, or moved, while it handled the call/);
  }

  test('an ask that is being handled ends before its worker lives at another broker', async (t) => {
    const { Held, held } = holding();
    const { home, agent } = await twoBrokers(t, Held);
    const asked = rejection(agent.ask('hold'));
    const askedAtHome = rejection((await home.findWorker('w')).ask('hold'));
    await until('it handles both', () => held.length === 2);
    held[0].worker.destroy({ noRecover: false });
    isCut(await asked);
    isCut(await askedAtHome);
    assert.equal(held[0].signal.aborted, true);
    assert.equal(await agent.ask('where'), 'here');
    // Too late, and nobody is disturbed by it.
    held.forEach((turn) => turn.answer());
    assert.equal(await agent.ask('where'), 'here');
  });

  test('a broker that leaves cuts what its workers still handle, and waits for no handler', async (t) => {
    const { Held, held } = holding();
    const { home, agent } = await twoBrokers(t, Held);
    const asked = rejection(agent.ask('hold'));
    await until('it handles it', () => held.length === 1);
    const left = home.destroy();
    isCut(await asked);
    await left;
    assert.equal(await agent.ask('where'), 'here');
  });

  test('what waits for a serial worker goes with it, behind the message that it handles', async (t) => {
    const { Held, held } = holding({ concurrency: 'serial' });
    const { agent } = await twoBrokers(t, Held);
    const asked = agent.ask('hold');
    await until('it handles it', () => held.length === 1);
    const waiting = [agent.ask('where'), agent.ask('where')];
    held[0].worker.destroy({ noRecover: false });
    held[0].answer();
    assert.equal(await asked, 'answered');
    assert.deepEqual(await Promise.all(waiting), ['here', 'here']);
  });

  test('a worker that ends itself for good answers first, and its id is not free before', async (t) => {
    const { Held, held } = holding();
    const { other, agent } = await twoBrokers(t, Held);
    const asked = agent.ask('hold', {});
    await until('it handles it', () => held.length === 1);
    let again = null;
    const made = other.createWorker('Held', recoverable).then((made) => {
      again = made;
    });
    await until('it ended', () => held[0].worker.state === Worker.State.DESTROYED);
    assert.equal(again, null);
    held[0].answer();
    assert.equal(await asked, 'answered');
    await made;
    assert.equal(await again.ask('where'), 'here');
  });

  test('a worker that ends itself for good and never answers is given up after destroyTimeout', async (t) => {
    const { Held, held } = holding();
    const broker = await system(t).start('b', { classes: [Held], destroyTimeout: 300 });
    const agent = await broker.createWorker('Held', recoverable);
    const error = await rejection(agent.ask('hold', {}));
    isCut(error);
    assert.equal(held.length, 1);
    await until('it is gone', async () => (await broker.findWorker('w')) === null);
  });
});
