'use strict';

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { setTimeout: sleep } = require('node:timers/promises');
const { Worker } = require('..');
const { crash } = require('../lib/runtime/crash');
const { kCore } = require('../lib/base/symbols');
const { onEachCoordinator } = require('./helpers/systems');
const { echo, worker } = require('./helpers/classes');
const { rejection, until } = require('../support/wait');

/** Until an agent's messages need the core no more. */
async function warm(agent) {
  for (let n = 0; n < 5; n += 1) await agent.ask('warm', 0);
}

onEachCoordinator((system) => {
  describe('messages of a broker to its own worker', () => {
    test('come in their order while some go through the core and some do not', async (t) => {
      const seen = [];
      const note = (method, n) => (n > 0 ? seen.push(n) : 0);
      const broker = await system(t).start('b', { classes: [worker('W', { onAsk: note, onTell: note })] });
      const agent = await broker.createWorker('W');
      const { signal } = new AbortController();
      const sent = [];
      for (let n = 1; n <= 3000; n += 1) {
        if (n % 7 === 0) sent.push(agent.tell('m', n));
        else sent.push(agent.ask('m', n, n % 11 === 0 ? { signal } : undefined));
        if (n % 97 === 0) await sent.at(-1);
      }
      await Promise.all(sent);
      assert.deepEqual(seen, [...Array(3000).keys()].map((n) => n + 1));
    });

    test('come in their order when that way is closed and opened again and again within one turn', async (t) => {
      const seen = [];
      const broker = await system(t).start('b', { classes: [worker('W', { onAsk: (method, n) => seen.push(n) })] });
      const agent = await broker.createWorker('W');
      await warm(agent);
      seen.length = 0;
      const { signal } = new AbortController();
      const sent = [];
      for (let n = 0; n < 1800; n += 1) sent.push(agent.ask('m', n, n % 3 === 0 ? { signal } : undefined));
      await Promise.all(sent);
      assert.deepEqual(seen, [...Array(1800).keys()]);
    });

    test('never start inside of the call that sends them, and are copies', async (t) => {
      let started = 0;
      let got;
      const W = worker('W', {
        onAsk(method, data) {
          started += 1;
          got = data;
          return data;
        },
      });
      const broker = await system(t).start('b', { classes: [W] });
      const agent = await broker.createWorker('W');
      await warm(agent);
      const data = { list: [1] };
      started = 0;
      const asked = agent.ask('m', data);
      data.list.push(2);
      await Promise.resolve();
      assert.equal(started, 0);
      const answer = await asked;
      assert.deepEqual(answer, { list: [1] });
      assert.notEqual(answer, got);
    });

    test('that have not started when the worker goes are handled by the next one, once and in order', async (t) => {
      const seen = [];
      const W = worker('W', {
        onAsk(method, n) {
          if (method === 'm') seen.push(n);
          if (method === 'go') this.destroy({ noRecover: false });
          return n;
        },
      });
      const broker = await system(t).start('b', { classes: [W] });
      const agent = await broker.createWorker('W', { attributes: { recoverable: true } });
      await warm(agent);
      const asked = [];
      for (let n = 0; n < 200; n += 1) asked.push(agent.ask(n === 100 ? 'go' : 'm', n));
      assert.deepEqual(await Promise.all(asked), [...Array(200).keys()]);
      assert.deepEqual(seen, [...Array(200).keys()].filter((n) => n !== 100));
    });

    test('leave the event loop its time when two workers talk to each other without end', async (t) => {
      let turns = 0;
      let over = false;
      const W = worker('W', {
        onTell(method, other) {
          turns += 1;
          if (!over) agents[other].tell('m', this.id);
        },
      });
      const broker = await system(t).start('b', { classes: [W] });
      const [one, two] = [await broker.createWorker('W'), await broker.createWorker('W')];
      const agents = { [one.id]: one, [two.id]: two };
      await one.tell('m', two.id);
      await until('they have talked', () => turns > 1000);
      await sleep(20);
      over = true;
    });
  });

  describe('an ask of a broker to its own worker', () => {
    test('ends by its deadline, and what its handler asked ends with it', async (t) => {
      const ends = [];
      const W = worker('W', {
        async onAsk(method, other) {
          if (method === 'warm') return 0;
          const { deadline, signal, callerBroker } = Worker.context();
          signal.addEventListener('abort', () => ends.push('signal'));
          ends.push(callerBroker, deadline - Date.now() <= 100);
          if (method === 'wait') await new Promise(() => {});
          await agents[other].ask('wait').catch((error) => ends.push(error.code));
          return 0;
        },
      });
      const broker = await system(t).start('b', { classes: [W] });
      const agents = { one: await broker.createWorker('W'), two: await broker.createWorker('W') };
      await warm(agents.one);
      await warm(agents.two);
      const began = performance.now();
      const error = await rejection(agents.one.ask('through', 'two', { timeout: 100 }));
      const took = performance.now() - began;
      assert.equal(error.code, 'DW_ERR_TIMEOUT');
      assert.equal(error.delivered, 'unknown');
      assert.ok(took > 99 && took < 300, `${took} ms`);
      await until('all has ended', () => ends.length === 7);
      assert.deepEqual(ends.slice(0, 4), ['b', true, 'b', true]);
      assert.equal(ends.filter((what) => what === 'signal').length, 2);
      assert.ok(['DW_ERR_ABORTED', 'DW_ERR_TIMEOUT'].includes(ends.find((what) => /^DW/.test(what))));
    });

    test('is refused by a mailbox that is full, and by a limit on messages', async (t) => {
      const broker = await system(t).start('b', { classes: [echo()], maxMessageBytes: 64 * 1024, rpcTimeout: 60000 });
      const agent = await broker.createWorker('Echo');
      await warm(agent);
      assert.equal((await rejection(agent.ask('m', 'x'.repeat(70_000)))).code, 'DW_ERR_TOO_LARGE');
      await warm(agent);
      const asked = [];
      for (let n = 0; n < 40_000; n += 1) asked.push(agent.ask('m', n).then(() => 'answered', (error) => error.code));
      const outcomes = new Set(await Promise.all(asked));
      assert.deepEqual([...outcomes].sort(), ['DW_ERR_OVERLOADED', 'answered']);
    });

    test('goes to the core where the broker cannot prove that it lives when the handler would start', async (t) => {
      const broker = await system(t).start('b', { classes: [echo()] });
      const agent = await broker.createWorker('Echo');
      await warm(agent);
      const { native } = broker[kCore].channel;
      let passed = 0;
      native.ask = (...args) => {
        passed += 1;
        Object.getPrototypeOf(native).ask.apply(native, args);
      };
      native.proves = () => false;
      // It is asked once a millisecond.
      await sleep(5);
      const answers = await Promise.all([agent.ask('m', 1), agent.ask('m', 2)]);
      delete native.proves;
      assert.deepEqual([passed, ...answers], [2, 1, 2]);
    });

    test('is not answered before the broker can prove that it lives', async (t) => {
      let answer;
      const W = worker('W', { onAsk: (method) => (method === 'warm' ? 0 : new Promise((resolve) => (answer = resolve))) });
      const broker = await system(t).start('b', { classes: [W] });
      const agent = await broker.createWorker('W');
      await warm(agent);
      let answered = false;
      const asked = agent.ask('m').then(() => (answered = true));
      await until('it is handled', () => answer !== undefined);
      const { channel } = broker[kCore];
      channel.native.proves = channel.native.holds = () => false;
      await sleep(5);
      answer(1);
      await sleep(20);
      channel.receiver.drain();
      assert.equal(answered, false);
      delete channel.native.proves;
      delete channel.native.holds;
      channel.receiver.drain();
      await asked;
    });

    test('fails when the broker is cut off', async (t) => {
      const W = worker('W', { onAsk: (method) => (method === 'warm' ? 0 : new Promise(() => {})) });
      const broker = await system(t).start('b', { classes: [W] });
      const agent = await broker.createWorker('W');
      await warm(agent);
      const asked = [agent.ask('m'), agent.ask('m')];
      await sleep(10);
      asked.push(agent.ask('m'));
      crash(broker);
      for (const error of await Promise.all(asked.map(rejection))) assert.equal(error.delivered, 'unknown');
    });

    test('carries the errors of its handler as copies', async (t) => {
      const thrown = Object.assign(new TypeError('no'), { code: 'E_OWN', detail: { a: [1] } });
      const W = worker('W', {
        onAsk(method) {
          if (method === 'throw') throw thrown;
          return method === 'bigint' ? 1n : 0;
        },
      });
      const broker = await system(t).start('b', { classes: [W] });
      const agent = await broker.createWorker('W');
      await warm(agent);
      const error = await rejection(agent.ask('throw'));
      assert.deepEqual([error.name, error.message, error.code, error.delivered], ['TypeError', 'no', 'E_OWN', 'yes']);
      assert.deepEqual(error.detail, thrown.detail);
      assert.notEqual(error.detail, thrown.detail);
      assert.match((await rejection(agent.ask('bigint'))).message, /cannot be turned into JSON/);
    });
  });
});
