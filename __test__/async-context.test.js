'use strict';

const assert = require('node:assert/strict');
const { AsyncLocalStorage } = require('node:async_hooks');
const diagnostics = require('node:diagnostics_channel');
const { describe, test } = require('node:test');
const { Agent, Worker } = require('..');
const { onEachCoordinator } = require('./helpers/systems');
const { until } = require('../support/wait');

const stored = new AsyncLocalStorage();
const channel = diagnostics.channel('dworker.test.context');
const traced = new AsyncLocalStorage();
channel.bindStore(traced);

const seen = () => [stored.getStore(), traced.getStore()];
const NOTHING = [undefined, undefined];
const CALLER = ['caller', 'trace'];

/** Runs `work` as a request of the application does. */
const asCaller = (work) => stored.run('caller', () => channel.runStores('trace', work));

/** Notes what its handlers find stored, and stores something itself. */
class Looker extends Worker {
  constructor(...args) {
    super(...args);
    this.look('constructor');
  }
  look(where) {
    (Looker.found[where] ??= []).push(seen());
    stored.enterWith(`left over by ${where}`);
  }
  onCreate() {
    this.look('onCreate');
  }
  onTell() {
    this.look('onTell');
  }
  onDestroy() {
    this.look('onDestroy');
  }
  async onAsk(method) {
    this.look('onAsk');
    await null;
    const kept = stored.getStore();
    if (method === 'end') this.destroy();
    if (method === 'fail') throw new Error('meant to');
    return kept;
  }
}
class SerialLooker extends Looker {}
SerialLooker.concurrency = 'serial';

/** What a caller can attach to a call; each gives what is stored when it runs. `call(callback)` makes the call. */
const CONTINUATIONS = {
  await: async (call) => {
    await call().then(undefined, () => {});
    return seen();
  },
  then: (call) => new Promise((resolve) => call().then(() => resolve(seen()), () => resolve(seen()))),
  'a second then': (call) => new Promise((resolve) => call().then(() => 1, () => 1).then(() => resolve(seen()))),
  'a callback': (call) => new Promise((resolve) => call(() => resolve(seen()))),
};

const calls = (broker, agent, WorkerClass) => ({
  ask: (callback) => agent.ask('echo', null, callback),
  'ask that fails': (callback) => agent.ask('fail', null, callback),
  'ask that times out at once': (callback) => new Agent('nobody', broker).ask('x', null, { timeout: 1 }, callback),
  'ask with a signal': (callback) => agent.ask('echo', null, { signal: new AbortController().signal }, callback),
  tell: (callback) => agent.tell('note', null, callback),
  findWorker: (callback) => broker.findWorker(agent.id, callback),
  createWorker: (callback) => broker.createWorker(WorkerClass.name, { id: agent.id }, callback),
  'start that is refused': (callback) => broker.start(callback),
});

onEachCoordinator((system) => {
  for (const promise of ['bluebird', 'native']) {
    for (const WorkerClass of [Looker, SerialLooker]) {
      describe(`With ${promise} promises and a ${WorkerClass.name}`, () => {
        const begin = async (t) => {
          Looker.found = { __proto__: null };
          const one = system(t);
          const home = await one.start('home', { classes: [WorkerClass], promise });
          const away = one.broker('away', { clustername: 'clients', promise });
          away.registerWorker(WorkerClass, { clustername: 'main' });
          await away.start();
          // The handlers of a broker that is used in a request are not of that request.
          const made = await asCaller(() => home.createWorker(WorkerClass.name, { id: 'w' }));
          return [['local', home, made], ['remote', away, new Agent('w', away)]];
        };

        test('what follows a call runs in the context of its caller', async (t) => {
          const lost = [];
          for (const [where, broker, agent] of await begin(t)) {
            for (const [what, call] of Object.entries(calls(broker, agent, WorkerClass))) {
              for (const [how, follow] of Object.entries(CONTINUATIONS)) {
                const found = await asCaller(() => follow(call));
                if (found.join() !== CALLER.join()) lost.push([where, what, how, found]);
              }
            }
          }
          assert.deepEqual(lost, []);
        });

        test('handlers run in a context of their own', async (t) => {
          const both = await begin(t);
          for (const [, , agent] of both) {
            const kept = await asCaller(() => Promise.all(Array.from({ length: 20 }, () => agent.ask('echo'))));
            assert.deepEqual(new Set(kept), new Set(['left over by onAsk']));
            await asCaller(() => Promise.all(Array.from({ length: 20 }, () => agent.tell('note'))));
          }
          await asCaller(() => both[1][2].ask('end'));
          await until('onDestroy has run', () => Looker.found.onDestroy);
          for (const [where, found] of Object.entries(Looker.found)) {
            assert.deepEqual(found, found.map(() => NOTHING), where);
          }
          assert.equal(Looker.found.onAsk.length, 41);
          assert.equal(Looker.found.onTell.length, 40);
        });
      });
    }
  }
});
