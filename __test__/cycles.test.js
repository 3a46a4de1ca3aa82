'use strict';

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { Agent, Worker } = require('..');
const { onEachCoordinator } = require('./helpers/systems');
const { until } = require('../support/wait');

/** Far above what a test takes: a call that waits for itself would wait as long. */
const LONG = 60_000;

/** What came of a call: its value, or the code and the text of the error that began it. */
function outcomeOf(call) {
  return call.then(
    (value) => ({ value: value instanceof Agent ? value.id : value }),
    (error) => {
      let cause = error;
      while (cause.cause) ({ cause } = cause);
      return { code: cause.code, delivered: cause.delivered, message: cause.message };
    }
  );
}

/** Gates that handlers wait for, by name; brokers through which they may call, by id. */
let gates;
let brokers;
/** What came of the calls of `onCreate` and `onDestroy`, by worker id and hook. */
let outcomes;

function gate(name) {
  if (!gates.has(name)) {
    const made = { reached: false };
    made.open = new Promise((resolve) => (made.release = resolve));
    gates.set(name, made);
  }
  return gates.get(name);
}

/** A worker that makes the calls which a message asks for: `{ask, create, find, pass, through, then, …}`. */
class Actor extends Worker {
  /** Asks again and again, each time for a moment, until something else than the time says what comes of it. */
  async insist(agent) {
    for (;;) {
      const outcome = await outcomeOf(agent.ask('act', null, { timeout: 50 }));
      if (outcome.code !== 'DW_ERR_TIMEOUT') return outcome;
    }
  }

  async act(step) {
    if (!step) return this.id;
    const broker = step.through ? brokers.get(step.through) : this.__priv.br;
    if (step.destroy) this.destroy();
    if (step.pass) {
      const awaited = gate(step.pass);
      awaited.reached = true;
      await awaited.open;
    }
    if (step.insist) return this.insist(new Agent(step.insist, broker));
    if (step.ask) return new Agent(step.ask, broker).ask('act', step.then);
    if (step.find) return broker.findWorker(step.find).then((agent) => agent && agent.id);
    if (!step.create) return this.id;
    const { onCreate, onDestroy } = step;
    const agent = await broker.createWorker(step.class || 'Actor', { id: step.create, attributes: { onCreate, onDestroy } });
    return agent.id;
  }

  async onCreate() {
    const { onCreate } = this.attributes;
    if (onCreate) outcomes.set(`${this.id} onCreate`, await outcomeOf(this.act(onCreate)));
  }

  async onDestroy() {
    const { onDestroy } = this.attributes;
    if (onDestroy) outcomes.set(`${this.id} onDestroy`, await outcomeOf(this.act(onDestroy)));
  }

  onAsk(method, step) {
    return this.act(step);
  }

  async onTell(method, step) {
    outcomes.set(`${this.id} onTell`, await outcomeOf(this.act(step)));
  }
}
class Serial extends Actor {}
Serial.concurrency = 'serial';
/** Lives at the broker `away`. */
class Remote extends Actor {}
/** Lives at the broker `third`. */
class Distant extends Actor {}

onEachCoordinator((system) => {
  async function start(t, option) {
    [gates, brokers, outcomes] = [new Map(), new Map(), new Map()];
    const one = system(t);
    const clusters = { home: [Actor, Serial], away: [Remote], third: [Distant] };
    for (const clustername of Object.keys(clusters)) {
      brokers.set(clustername, one.broker(clustername, { clustername, rpcTimeout: LONG, ...option }));
    }
    for (const [clustername, classes] of Object.entries(clusters)) {
      for (const WorkerClass of classes) {
        for (const broker of brokers.values()) broker.registerWorker(WorkerClass, { clustername });
      }
    }
    await Promise.all([...brokers.values()].map((broker) => broker.start()));
    const home = brokers.get('home');
    t.after(() => gates.forEach(({ release }) => release()));
    return { home, make: (id, name = 'Actor', attributes = {}) => home.createWorker(name, { id, attributes }) };
  }

  function isCycle({ code, delivered, message, value }, path) {
    assert.equal(code, 'DW_ERR_CYCLE', `${value} ${message}`);
    assert.equal(delivered, 'no');
    assert.ok(message.includes(path), message);
  }

  describe('A call that would wait for itself fails at once, and names every hop:', () => {
    for (const name of ['Actor', 'Remote']) {
      test(`a serial worker creates a worker (${name}) whose onCreate asks it`, async (t) => {
        const { make } = await start(t);
        const a = await make('a', 'Serial');
        assert.equal(await a.ask('act', { create: 'b', class: name, onCreate: { ask: 'a' } }), 'b');
        isCycle(outcomes.get('b onCreate'), '"a" → "b" (onCreate) → "a"');
        // It waits no more: the same ask is no cycle now.
        assert.equal(await make('c', name, { onCreate: { ask: 'a' } }).then(({ id }) => id), 'c');
        assert.deepEqual(outcomes.get('c onCreate'), { value: 'a' });
      });
    }

    test('the same in the handler of a tell', async (t) => {
      const { make } = await start(t);
      const a = await make('a', 'Serial');
      await a.tell('act', { create: 'b', onCreate: { ask: 'a' } });
      await until('the tell has been handled', () => outcomes.get('a onTell'));
      isCycle(outcomes.get('b onCreate'), '"a" → "b" (onCreate) → "a"');
    });

    test('over parallel workers and three brokers, created, asked and created', async (t) => {
      const { make } = await start(t);
      const a = await make('a', 'Serial');
      for (const [id, name] of [['p', 'Remote'], ['q', 'Distant']]) await make(id, name);
      const last = { create: 'c', class: 'Distant', onCreate: { ask: 'q', then: { ask: 'a' } } };
      const path = { ask: 'p', then: { create: 'b', class: 'Remote', onCreate: last } };
      assert.equal(await a.ask('act', path), 'b');
      isCycle(outcomes.get('c onCreate'), '"a" → "p" → "b" (onCreate) → "c" (onCreate) → "q" → "a"');
    });

    test('through another broker object of the process', async (t) => {
      const { make } = await start(t);
      const a = await make('a', 'Serial');
      await make('p', 'Remote');
      isCycle(await outcomeOf(a.ask('act', { ask: 'p', through: 'third', then: { ask: 'a', through: 'third' } })), '"a" → "p" → "a"');
      assert.equal(await a.ask('act', { create: 'b', class: 'Remote', through: 'third', onCreate: { ask: 'a', through: 'home' } }), 'b');
      isCycle(outcomes.get('b onCreate'), '"a" → "b" (onCreate) → "a"');
    });

    test('a worker that is being created is asked by the one that its onCreate asks', async (t) => {
      const { make } = await start(t);
      const a = await make('a', 'Serial');
      const b = make('b', 'Remote', { onCreate: { pass: 'asked', insist: 'a' } });
      await until('b is in onCreate', () => gate('asked').reached);
      const asking = a.ask('act', { pass: 'begun', ask: 'b' });
      await until('a is in its turn', () => gate('begun').reached);
      gate('begun').release();
      gate('asked').release();
      assert.deepEqual([(await b).id, await asking], ['b', 'b']);
      isCycle(outcomes.get('b onCreate').value, '"a" → "b" (onCreate) → "a"');
    });

    test('a second creator waits for an onCreate that asks it', async (t) => {
      const { make } = await start(t);
      const a = await make('a', 'Serial');
      const first = make('b', 'Remote', { onCreate: { pass: 'joined', insist: 'a' } });
      await until('b is in onCreate', () => gate('joined').reached);
      const second = a.ask('act', { pass: 'begun', create: 'b', class: 'Remote' });
      await until('a is in its turn', () => gate('begun').reached);
      gate('begun').release();
      gate('joined').release();
      assert.deepEqual([(await first).id, await second], ['b', 'b']);
      isCycle(outcomes.get('b onCreate').value, '"a" → "b" (onCreate) → "a"');
    });

    test('onCreate creates its own worker, over another one', async (t) => {
      const { make } = await start(t);
      await make('p', 'Remote');
      await make('b', 'Actor', { onCreate: { create: 'b' } });
      isCycle(outcomes.get('b onCreate'), '"b" (onCreate) → createWorker "b"');
      await make('c', 'Actor', { onCreate: { ask: 'p', then: { create: 'c' } } });
      isCycle(outcomes.get('c onCreate'), '"c" (onCreate) → "p" → createWorker "c"');
    });

    test('onDestroy creates a worker whose onCreate asks it, or itself', async (t) => {
      const { home, make } = await start(t);
      const x = await make('x', 'Actor', { onDestroy: { create: 'y', class: 'Remote', onCreate: { ask: 'x' } } });
      await x.ask('act', { destroy: true });
      await until('x has ended', async () => (await home.findWorker('x')) === null);
      isCycle(outcomes.get('y onCreate'), '"x" (onDestroy) → "y" (onCreate) → "x"');
      const z = await make('z', 'Serial', { onDestroy: { create: 'z', class: 'Serial' } });
      await z.ask('act', { destroy: true });
      await until('z has ended', async () => (await home.findWorker('z')) === null);
      isCycle(outcomes.get('z onDestroy'), '"z" (onDestroy) → createWorker "z"');
    });

    for (const name of ['Actor', 'Serial', 'Remote']) {
      test(`a handler of a worker (${name}) that ends creates it again`, async (t) => {
        const { make } = await start(t);
        const x = await make('x', name);
        isCycle(await outcomeOf(x.ask('act', { destroy: true, create: 'x', class: name })), '"x" → createWorker "x"');
      });
    }
  });

  describe('It is no cycle', () => {
    test('where a worker is found in its own onCreate or onDestroy', async (t) => {
      const { make } = await start(t);
      const x = await make('x', 'Remote', { onCreate: { find: 'x' }, onDestroy: { find: 'x' } });
      await x.ask('act', { destroy: true });
      await until('onDestroy has run', () => outcomes.get('x onDestroy'));
      assert.deepEqual([...outcomes.values()], [{ value: 'x' }, { value: 'x' }]);
    });

    test('where the creator has given up', async (t) => {
      const { make } = await start(t, { rpcTimeout: 300 });
      const a = await make('a', 'Serial');
      const { code } = await outcomeOf(a.ask('act', { create: 'b', class: 'Remote', onCreate: { pass: 'late', ask: 'a' } }, { timeout: LONG }));
      assert.equal(code, 'DW_ERR_TIMEOUT');
      gate('late').release();
      await until('onCreate has ended', () => outcomes.get('b onCreate'));
      assert.deepEqual(outcomes.get('b onCreate'), { value: 'a' });
    });

    test('where the handler of a tell ends its parallel worker and creates it again', async (t) => {
      const { make } = await start(t);
      const x = await make('x');
      await x.tell('act', { destroy: true, create: 'x' });
      await until('the tell has been handled', () => outcomes.get('x onTell'));
      assert.deepEqual(outcomes.get('x onTell'), { value: 'x' });
    });
  });
});
