'use strict';

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { Agent, Worker } = require('..');
const { onEachCoordinator } = require('./helpers/systems');
const { rejection, until } = require('../support/wait');

/** Far below every timeout that these calls could run into, far above what they take. */
const AT_ONCE_MS = 1500;

/** What came of a call, and whether that took no timeout. */
async function outcomeOf(call) {
  const began = performance.now();
  const outcome = await call.then(
    (value) => ({ value }),
    (error) => ({ code: error.code, delivered: error.delivered, message: error.message })
  );
  return { ...outcome, atOnce: performance.now() - began < AT_ONCE_MS };
}

/** Makes the calls that its attributes name, in its hooks, and tells what came of them. */
class Caller extends Worker {
  agent(id) {
    return new Agent(id, this.__priv.br);
  }
  async onCreate() {
    const { onCreate, creates } = this.attributes;
    if (creates) Caller.outcomes.push(await outcomeOf(this.__priv.br.createWorker('Caller', { id: this.id })));
    if (onCreate) Caller.outcomes.push(await outcomeOf(this.agent(onCreate).ask('get')));
  }
  async onAsk(method, data) {
    if (method === 'end') {
      this.destroy();
      return outcomeOf(this.agent(data).ask('get'));
    }
    if (method === 'go') this.destroy({ noRecover: data === undefined });
    if (method === 'walk') return this.agent(data[0]).ask('walk', data.slice(1));
    if (method === 'create') return this.__priv.br.createWorker(...data).then(({ id }) => id);
    if (method === 'hang') return new Promise(() => {});
    return this.id;
  }
  async onDestroy() {
    const { onDestroy, creates } = this.attributes;
    if (creates) Caller.outcomes.push(await outcomeOf(this.__priv.br.createWorker('Caller', { id: this.id })));
    if (!onDestroy) return;
    const found = await this.__priv.br.findWorker(onDestroy);
    Caller.outcomes.push(found === null ? { value: null, atOnce: true } : await outcomeOf(found.ask('get')));
  }
}
class SerialCaller extends Caller {}
SerialCaller.concurrency = 'serial';

onEachCoordinator((system) => {
  const start = async (t, ids = ['home']) => {
    Caller.outcomes = [];
    const one = system(t);
    return Promise.all(ids.map((id) => one.start(id, { classes: [Caller, SerialCaller], rpcTimeout: 20_000 })));
  };

  for (const { name } of [Caller, SerialCaller]) {
    describe(`An ask to a ${name} that starts no handler any more`, () => {
      test('fails at once where that worker waits for it itself', async (t) => {
        const [broker] = await start(t);
        const agent = await broker.createWorker(name, { id: 'x' });
        const outcome = await agent.ask('end', 'x');
        assert.equal(outcome.atOnce, true);
        assert.equal(outcome.delivered, 'no');
        assert.ok(['DW_ERR_CYCLE', 'DW_ERR_WORKER_NOT_FOUND'].includes(outcome.code), outcome.code);
      });

      test('fails at once where two workers ask each other in onDestroy', async (t) => {
        const [home, away] = await start(t, ['home', 'away']);
        const x = await home.createWorker(name, { id: 'x', attributes: { onDestroy: 'y' } });
        const y = await home.createWorker(name, { id: 'y', attributes: { onDestroy: 'x' } });
        await Promise.all([x.ask('go'), y.ask('go')]);
        await until('both have ended', async () => (await away.findWorker('x')) === null && (await away.findWorker('y')) === null);
        assert.equal(Caller.outcomes.length, 2);
        for (const { atOnce, code, value } of Caller.outcomes) {
          assert.equal(atOnce, true);
          assert.ok(value !== undefined || code === 'DW_ERR_WORKER_NOT_FOUND', code);
        }
      });

      test('fails at once where two workers that are handed over ask each other in onDestroy', async (t) => {
        const both = await start(t, ['home', 'away']);
        await both[0].createWorker(name, { id: 'p', attributes: { onDestroy: 'q', recoverable: true } });
        await both[0].createWorker(name, { id: 'q', attributes: { onDestroy: 'p', recoverable: true } });
        const began = performance.now();
        await Promise.all(both.map((broker) => broker.destroy()));
        assert.ok(performance.now() - began < AT_ONCE_MS);
        for (const { atOnce, code, value } of Caller.outcomes) {
          assert.equal(atOnce, true);
          assert.ok(value !== undefined || ['DW_ERR_UNREACHABLE', 'DW_ERR_WORKER_NOT_FOUND', 'DW_ERR_NO_BROKER', 'DW_ERR_STATE'].includes(code), code);
        }
      });
    });
  }

  describe('broker.destroy() of two workers that ask each other in onDestroy', () => {
    // Everything that could be waited for takes longer than the test may.
    const endless = { rpcTimeout: 120_000, destroyTimeout: 120_000, retries: { initialInterval: 120_000, maxInterval: 120_000, duration: 120_000 } };
    for (const { name } of [Caller, SerialCaller]) {
      test(`waits for no timeout (${name})`, { timeout: 60_000 }, async (t) => {
        for (let round = 0; round < 10; round += 1) {
          Caller.outcomes = [];
          const one = system(t);
          const both = await Promise.all(['home', 'away'].map((id) => one.start(`${id}${round}`, { ns: `pair${name}${round}`, classes: [Caller, SerialCaller], ...endless })));
          await both[0].createWorker(name, { id: 'p', attributes: { onDestroy: 'q', recoverable: true } });
          await both[0].createWorker(name, { id: 'q', attributes: { onDestroy: 'p', recoverable: true } });
          await Promise.all(both.map((broker) => broker.destroy()));
          for (const { code, value } of Caller.outcomes) {
            assert.ok(value !== undefined || ['DW_ERR_UNREACHABLE', 'DW_ERR_WORKER_NOT_FOUND', 'DW_ERR_NO_BROKER', 'DW_ERR_STATE'].includes(code), code);
          }
        }
      });
    }
  });

  describe('An ask that would wait for itself fails at once, and names every hop', () => {
    test('where onCreate asks its own worker', async (t) => {
      const [broker] = await start(t);
      await broker.createWorker('Caller', { id: 'x', attributes: { onCreate: 'x' } });
      const [{ atOnce, code, message }] = Caller.outcomes;
      assert.deepEqual([atOnce, code], [true, 'DW_ERR_CYCLE']);
      assert.match(message, /"x" \(onCreate\) → "x"/);
    });

    test('where onCreate or onDestroy creates its own worker', async (t) => {
      const [broker] = await start(t);
      const agent = await broker.createWorker('Caller', { id: 'x', attributes: { creates: true } });
      await agent.ask('go');
      await until('onDestroy has run', () => Caller.outcomes.length === 2);
      for (const { atOnce, code, message } of Caller.outcomes) {
        assert.deepEqual([atOnce, code], [true, 'DW_ERR_CYCLE']);
        assert.match(message, /"x" \((onCreate|onDestroy)\) → createWorker "x"/);
      }
    });

    test('through parallel workers and other brokers', async (t) => {
      const [home] = await start(t, ['home', 'away', 'third']);
      for (const id of ['s', 'p', 'q', 'r']) await home.createWorker(id === 's' ? 'SerialCaller' : 'Caller', { id });
      const error = await rejection(new Agent('s', home).ask('walk', ['p', 'q', 'r', 's']));
      assert.match(error.message, /"s" → "p" → "q" → "r" → "s"/);
    });
  });
});
