'use strict';

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { Agent, Broker, Worker } = require('..');
const { worker } = require('./helpers/classes');
const { memorySystem, onEachCoordinator } = require('./helpers/systems');
const { rejection, until } = require('../support/wait');

/** A class that takes one message at a time. */
function serial(name, handlers, more) {
  return Object.assign(worker(name, handlers), { concurrency: 'serial', ...more });
}

/** Its handlers end when the test says so: `journal` has what began and ended, `release()` ends the oldest one. */
function gated(name, more) {
  const journal = [];
  const waiting = [];
  const step = (method) => {
    journal.push(`+${method}`);
    return new Promise((resolve) => waiting.push(resolve)).then(() => {
      journal.push(`-${method}`);
      return method;
    });
  };
  const release = async () => {
    await until('a handler runs', () => waiting.length > 0);
    waiting.shift()();
  };
  return { Gated: serial(name, { onAsk: step, onTell: step }, more), journal, waiting, release };
}

async function pair(t, system, classes) {
  const one = system(t);
  const home = await one.start('home', { classes });
  const away = await one.start('away', { clustername: 'elsewhere' });
  return { home, away };
}

onEachCoordinator((system) => {
  describe('a serial worker', () => {
    test('takes one message at a time, asks and tells of one sender in order', async (t) => {
      const { Gated, journal, waiting, release } = gated('Gated');
      const { home, away } = await pair(t, system, [Gated]);
      const { id } = await home.createWorker('Gated');
      for (const broker of [home, away]) {
        journal.length = 0;
        const agent = new Agent(id, broker);
        const answers = [agent.ask('a'), agent.tell('b'), agent.ask('c'), agent.tell('d'), agent.ask('e')];
        for (let n = 0; n < 5; n += 1) {
          await release();
          assert.ok(waiting.length <= 1);
        }
        assert.deepEqual(await Promise.all(answers), ['a', undefined, 'c', undefined, 'e']);
        assert.deepEqual(journal, ['+a', '-a', '+b', '-b', '+c', '-c', '+d', '-d', '+e', '-e']);
      }
    });

    test('goes on after a handler that throws, rejects or is given up by its caller', async (t) => {
      const order = [];
      const W = serial('W', {
        onAsk(method) {
          order.push(method);
          if (method === 'throw') throw new Error('thrown');
          if (method === 'reject') return Promise.reject(new Error('rejected'));
          if (method === 'slow') return new Promise((resolve) => setTimeout(resolve, 80));
          return method;
        },
        onTell(method) {
          order.push(method);
          if (method === 'throwing tell') throw new Error('told');
          return Promise.reject(new Error('told'));
        },
      });
      const { home, away } = await pair(t, system, [W]);
      const { id } = await home.createWorker('W');
      for (const broker of [home, away]) {
        order.length = 0;
        const agent = new Agent(id, broker);
        const all = [agent.ask('throw'), agent.ask('reject'), agent.ask('slow', null, { timeout: 20 })].map(rejection);
        agent.tell('throwing tell');
        agent.tell('rejecting tell');
        assert.equal(await agent.ask('last'), 'last');
        assert.deepEqual((await Promise.all(all)).map(({ code }) => code), ['DW_ERR_REJECTED', 'DW_ERR_REJECTED', 'DW_ERR_TIMEOUT']);
        assert.deepEqual(order, ['throw', 'reject', 'slow', 'throwing tell', 'rejecting tell', 'last']);
      }
    });

    test('drops what expired or was aborted while it waited', async (t) => {
      const { Gated, journal, release } = gated('Gated');
      const { home, away } = await pair(t, system, [Gated]);
      const { id } = await home.createWorker('Gated');
      for (const broker of [home, away]) {
        journal.length = 0;
        const agent = new Agent(id, broker);
        const first = agent.ask('first');
        const controller = new AbortController();
        const expired = rejection(agent.ask('expired', null, { timeout: 30 }));
        const aborted = rejection(agent.ask('aborted', null, { signal: controller.signal }));
        await until('the first runs', () => journal.length === 1);
        controller.abort();
        assert.deepEqual([(await expired).code, (await aborted).code], ['DW_ERR_TIMEOUT', 'DW_ERR_ABORTED']);
        const last = agent.ask('last');
        await release();
        await release();
        assert.deepEqual([await first, await last], ['first', 'last']);
        assert.deepEqual(journal, ['+first', '-first', '+last', '-last']);
      }
    });

    test('refuses at once what is beyond maxQueue, and leaves the others alone', async (t) => {
      const { Gated, journal, release } = gated('Gated', { maxQueue: 2 });
      const Free = worker('Free', { onAsk: (method) => method });
      const { home, away } = await pair(t, system, [Gated, Free]);
      const logs = [];
      away.on('log', ({ level, message }) => level === 'warn' && logs.push(message));
      const { id } = await home.createWorker('Gated');
      const free = await home.createWorker('Free');
      for (const broker of [home, away]) {
        journal.length = 0;
        const agent = new Agent(id, broker);
        const taken = [agent.ask('a'), agent.ask('b'), agent.ask('c')];
        const error = await rejection(agent.ask('d'));
        assert.deepEqual([error.code, error.delivered], ['DW_ERR_OVERLOADED', 'no']);
        if (broker === home) assert.equal((await rejection(agent.tell('e'))).code, 'DW_ERR_OVERLOADED');
        else await agent.tell('e');
        assert.equal(await new Agent(free.id, broker).ask('free'), 'free');
        for (let n = 0; n < 3; n += 1) await release();
        assert.deepEqual(await Promise.all(taken), ['a', 'b', 'c']);
        assert.deepEqual(journal.filter((step) => step[0] === '+'), ['+a', '+b', '+c']);
      }
      assert.match(await until('the lost tell is logged', () => logs[0]), /DW_ERR_OVERLOADED/);
    });

    test('that ends gives back what waits for it', async (t) => {
      const W = serial('W', {
        onAsk(method) {
          if (method !== 'end') return method;
          this.destroy();
          return new Promise((resolve) => setTimeout(resolve, 30, 'ended'));
        },
      });
      const { home, away } = await pair(t, system, [W]);
      for (const broker of [home, away]) {
        const { id } = await home.createWorker('W');
        const agent = new Agent(id, broker);
        const [end, ...others] = ['end', 'b', 'c'].map((method) => agent.ask(method));
        const codes = (await Promise.all(others.map(rejection))).map(({ code, delivered }) => [code, delivered]);
        assert.deepEqual(codes, [['DW_ERR_WORKER_NOT_FOUND', 'no'], ['DW_ERR_WORKER_NOT_FOUND', 'no']]);
        assert.equal(await end, 'ended');
      }
    });
  });

  describe('an ask that would wait for itself', () => {
    const handlers = {
      async onAsk(method, ids) {
        if (method === 'nap') await null;
        if (ids.length === 0) return this.id;
        const [next, ...rest] = ids;
        return new Agent(next, this.__priv.br).ask('pass', rest);
      },
    };

    for (const [what, path] of [
      ['by asking itself', ['a', 'a']],
      ['over another worker', ['a', 'b', 'a']],
      ['over a parallel worker on the way', ['a', 'p', 'b', 'p', 'a']],
    ]) {
      test(`fails at once and names the chain: ${what}`, async (t) => {
        const one = system(t);
        const home = await one.start('home', { classes: [serial('A', handlers)] });
        const other = await one.start('other', { classes: [serial('B', handlers, { clustername: 'elsewhere' }), worker('P', handlers)], clustername: 'elsewhere' });
        home.registerWorker(serial('B', handlers), { clustername: 'elsewhere' });
        await home.createWorker('A', { id: 'a' });
        await other.createWorker('B', { id: 'b' });
        other.registerWorker(worker('P', handlers), { clustername: 'elsewhere' });
        await other.createWorker('P', { id: 'p' });
        const began = performance.now();
        const error = await rejection(new Agent('a', home).ask('nap', path.slice(1), { timeout: 20000 }));
        assert.ok(performance.now() - began < 5000);
        // It is the last handler's own failure for all before it.
        assert.equal(error.code, 'DW_ERR_REJECTED');
        let cause = error;
        while (cause.cause) cause = cause.cause;
        assert.deepEqual([cause.code, cause.delivered], ['DW_ERR_CYCLE', 'no']);
        // Parallel workers are named, too.
        assert.ok(cause.message.includes(path.map((id) => `"${id}"`).join(' → ')), cause.message);
        assert.equal(await new Agent('a', home).ask('nap', ['b']), 'b');
      });
    }

    test('is no cycle where workers are parallel, or where the first one does not wait any more', async (t) => {
      const one = system(t);
      let later;
      const A = serial('A', {
        onAsk(method) {
          if (method === 'start') later = new Agent('b', this.__priv.br).ask('back');
          return method;
        },
      });
      const B = serial('B', {
        async onAsk() {
          await new Promise((resolve) => setTimeout(resolve, 50));
          return new Agent('a', this.__priv.br).ask('again');
        },
      });
      const home = await one.start('home', { classes: [A, B, worker('P', handlers)] });
      await home.createWorker('A', { id: 'a' });
      await home.createWorker('B', { id: 'b' });
      await home.createWorker('P', { id: 'p' });
      assert.equal(await new Agent('p', home).ask('nap', ['p', 'p']), 'p');
      assert.equal(await new Agent('a', home).ask('start'), 'start');
      assert.equal(await later, 'again');
    });
  });
});

test('concurrency and maxQueue are checked at registration', (t) => {
  const broker = memorySystem(t).broker('b');
  for (const [wrong, name] of [
    [{ concurrency: 'one' }, 'concurrency'],
    [{ maxQueue: 0 }, 'maxQueue'],
    [{ maxQueue: 1.5 }, 'maxQueue'],
    [{ maxQueue: '5' }, 'maxQueue'],
  ]) {
    assert.throws(() => broker.registerWorker(Object.assign(worker('W'), wrong)), (error) => {
      assert.equal(error.code, 'DW_ERR_CONFIG');
      assert.ok(error.message.includes(`for ${name} of the worker class but received`), error.message);
      return true;
    });
  }
  broker.registerWorker(Object.assign(worker('W'), { concurrency: 'serial', maxQueue: 1 }));
  assert.deepEqual([Worker.concurrency, Worker.maxQueue, broker.state], ['parallel', 10000, Broker.State.INACTIVE]);
});
