'use strict';

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const Bluebird = require('bluebird');
const { Agent, Worker } = require('..');
const { kCore } = require('../lib/base/symbols');
const { memorySystem, onEachCoordinator, onRedis } = require('./helpers/systems');
const { called, rejection, sleep, until } = require('../support/wait');

/** What a test looks at. */
const seen = () => {
  const context = Worker.context();
  return context && { left: context.deadline - Date.now(), caller: context.callerBroker, aborted: context.signal.aborted };
};

/** Ways to go on later inside of a handler, each giving `then()`. `other`: an agent. */
const WAYS = {
  'at once': (then) => then(),
  await: async (then) => {
    await null;
    await sleep(1);
    return then();
  },
  'a native promise': (then) => Promise.resolve().then(then),
  'an ask of the package': (then, other) => other.ask('echo').then(then),
  'the end of an ask': (then, other) => other.ask('echo').delay(1).tap(() => {}).then(then),
  'awaiting an ask': async (then, other) => {
    await other.ask('echo');
    return then();
  },
  'an ask in callback form': (then, other) => called((callback) => other.ask('echo', null, callback)).then(then),
  'a callback of an ask': (then, other) => new Promise((resolve) => other.ask('echo', null, () => resolve(then()))),
  'a tell of the package': (then, other) => other.tell('note').then(then),
  'findWorker': (then, other) => other.__priv.br.findWorker(other.id).then(then),
  'a timer': (then) => new Promise((resolve) => setTimeout(() => resolve(then()), 1)),
};

class Inner extends Worker {
  onAsk(method, data) {
    if (method === 'hang') return new Promise(() => {});
    if (method === 'left') return seen().left;
    return data;
  }
}

class Outer extends Worker {
  onAsk(method, data) {
    const other = new Agent(data.other, this.__priv.br);
    if (method === 'see') return WAYS[data.way](seen, other);
    return this[method](other, data);
  }
  async hang(other, { option }) {
    const began = Date.now();
    const error = await rejection(other.ask('hang', null, option));
    const report = { code: error.code, delivered: error.delivered, after: Date.now() - began, aborted: Worker.context()?.signal.aborted };
    Outer.reports.push(report);
    return report;
  }
  left(other, { option }) {
    return other.ask('left', null, option);
  }
  async twice(other) {
    await sleep(60);
    return rejection(other.ask('echo', null));
  }
  onTell(method, data) {
    return WAYS[data.way](() => Outer.reports.push(seen()), new Agent(data.other, this.__priv.br));
  }
}

async function brokers(t, system, classes = [Outer, Inner], option = {}) {
  Outer.reports = [];
  const one = system(t);
  const home = await one.start('home', { classes, ...option });
  const away = await one.start('away', { clustername: 'elsewhere' });
  const outer = await home.createWorker(classes[0].name);
  const other = (await home.createWorker('Inner')).id;
  return { home, away, other, near: outer, far: new Agent(outer.id, away) };
}

onEachCoordinator((system) => {
  describe('Worker.context()', () => {
    test('is undefined outside of handlers', async (t) => {
      assert.equal(Worker.context(), undefined);
      const { near, other } = await brokers(t, system);
      const answer = near.ask('see', { other, way: 'await' });
      assert.equal(Worker.context(), undefined);
      await answer;
      assert.equal(Worker.context(), undefined);
      await near.ask('see', { other, way: 'at once' }).then(() => assert.equal(Worker.context(), undefined));
    });

    for (const way of Object.keys(WAYS)) {
      test(`is that of the call after ${way}`, async (t) => {
        const { near, far, other } = await brokers(t, system);
        for (const [agent, caller] of [[near, 'home'], [far, 'away']]) {
          const context = await agent.ask('see', { other, way }, { timeout: 2000 });
          assert.deepEqual([context.caller, context.aborted], [caller, false]);
          assert.ok(context.left > 500 && context.left <= 2001, String(context.left));
          Outer.reports = [];
          await agent.tell('see', { other, way });
          const told = await until('the tell is handled', () => Outer.reports[0]);
          assert.deepEqual(told, { left: Infinity, caller, aborted: false });
        }
      });
    }

    test('is each call\'s own where many run at once', async (t) => {
      const { near, far, other } = await brokers(t, system);
      const ways = Object.keys(WAYS);
      const all = Array.from({ length: 200 }, (_, n) => {
        const timeout = 3000 + 1000 * (n % 7);
        const agent = n % 2 ? near : far;
        return agent.ask('see', { other, way: ways[n % ways.length] }, { timeout }).then(({ left, caller }) => {
          assert.equal(caller, n % 2 ? 'home' : 'away');
          assert.ok(left <= timeout + 1 && left > timeout - 1000, `${left} of ${timeout}`);
        });
      });
      await Promise.all(all);
    });

    test('is gone after the answer', async (t) => {
      let later;
      class Early extends Worker {
        onAsk(method, data, callback) {
          later = sleep(20).then(seen);
          callback(null, 'early');
        }
      }
      const { near } = await brokers(t, system, [Early, Inner]);
      assert.equal(await near.ask('x'), 'early');
      assert.equal(await later, undefined);
    });

    test('keeps one signal, which aborts when the connection of its caller breaks', async (t) => {
      const signals = [];
      class Signals extends Worker {
        onAsk() {
          signals.push(Worker.context().signal, Worker.context().signal);
          return new Promise(() => {});
        }
      }
      const { away, far } = await brokers(t, system, [Signals, Inner]);
      const lost = rejection(far.ask('x'));
      await until('the handler runs', () => signals.length === 2);
      assert.equal(signals[0], signals[1]);
      away[kCore].crash();
      await until('the signal is aborted', () => signals[0].aborted);
      assert.ok((await lost).code);
    });
  });

  describe('what a handler asks', () => {
    test('has no more time than its own call, whatever its own timeout says', async (t) => {
      const { near, far, other } = await brokers(t, system);
      for (const agent of [near, far]) {
        for (const option of [undefined, { timeout: 60000 }]) {
          const left = await agent.ask('left', { other, option }, { timeout: 1500 });
          assert.ok(left <= 1501, String(left));
        }
        assert.ok((await agent.ask('left', { other, option: { timeout: 300 } }, { timeout: 1500 })) <= 301);
      }
    });

    test('ends when its own call is aborted', async (t) => {
      const { near, far, other } = await brokers(t, system);
      for (const agent of [near, far]) {
        Outer.reports = [];
        const controller = new AbortController();
        const answer = rejection(agent.ask('hang', { other, option: { timeout: 60000 } }, { signal: controller.signal, timeout: 20000 }));
        await sleep(50);
        controller.abort();
        await answer;
        const report = await until('the call of the handler ended', () => Outer.reports[0]);
        assert.deepEqual([report.code, report.delivered, report.aborted], ['DW_ERR_ABORTED', 'unknown', true]);
        assert.ok(report.after < 10000);
      }
    });

    test('is not sent when the caller of its own call no longer waits', async (t) => {
      const { far, other } = await brokers(t, system);
      let late;
      Outer.prototype.twice = async function (agent) {
        await sleep(120);
        late = await rejection(agent.ask('echo'));
      };
      assert.equal((await rejection(far.ask('twice', { other }, { timeout: 30 }))).code, 'DW_ERR_TIMEOUT');
      const { code, delivered } = await until('the handler asked', () => late);
      assert.deepEqual([code, delivered], ['DW_ERR_ABORTED', 'no']);
    });
  });
});

test('bluebird promises of others do not carry the context of a handler elsewhere', async (t) => {
  class Mixing extends Worker {
    onAsk() {
      return Bluebird.resolve(1).then((value) => value + 1);
    }
  }
  const broker = await memorySystem(t).start('b', { classes: [Mixing] });
  const agent = await broker.createWorker('Mixing');
  const contexts = [];
  let release;
  const outside = new Bluebird((resolve) => (release = resolve)).then(() => contexts.push(Worker.context()));
  const asks = Array.from({ length: 20 }, () => agent.ask('x'));
  release();
  await Promise.all([outside, ...asks]);
  assert.deepEqual(contexts, [undefined]);
});

onRedis((system, server) => {
  test('the signal aborts, and what the handler asked ends, when its broker cannot prove that it lives', async (t) => {
    const { home, near, other } = await brokers(t, system, undefined, { lease: { ttl: 2000, renew: 200 } });
    const answer = near.ask('hang', { other, option: { timeout: 60000 } }, { timeout: 20000 });
    const suspended = new Promise((resolve) => home.once('suspended', resolve));
    await sleep(50);
    server().pause();
    t.after(() => server().resume());
    await suspended;
    const report = await until('the call of the handler ended', () => Outer.reports[0], 10000);
    server().resume();
    assert.deepEqual([report.code, report.aborted], ['DW_ERR_ABORTED', true]);
    assert.equal((await answer).code, 'DW_ERR_ABORTED');
  });
});
