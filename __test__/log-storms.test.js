'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Agent } = require('..');
const { worker } = require('./helpers/classes');
const { memorySystem } = require('./helpers/systems');
const { until } = require('../support/wait');

const MANY = 2000;

/** For how many a line stands. */
function countOf(message) {
  return Number(/\((\d+) such lines in the last second\)$/.exec(message)?.[1] ?? 1);
}

/** Waits until lines that match stand for as many as happened, and checks that there is one a second. */
async function assertLimited(lines, pattern, begun) {
  const found = () => lines.filter((message) => pattern.test(message));
  const total = () => found().reduce((sum, message) => sum + countOf(message), 0);
  await until(`${pattern} is counted ${MANY} times`, () => total() === MANY);
  const seconds = Math.ceil((Date.now() - begun) / 1000);
  assert.ok(found().length <= seconds + 1, `${found().length} lines in ${seconds} s`);
}

test('tells that the core drops are a line a second, with their number', async (t) => {
  let release;
  const busy = new Promise((resolve) => (release = resolve));
  const W = worker('W', { onTell: () => busy });
  Object.assign(W, { concurrency: 'serial', maxQueue: 1 });
  const system = memorySystem(t);
  const home = await system.start('home', { classes: [W] });
  const away = await system.start('away');
  const lines = [];
  away.on('log', ({ level, message }) => level === 'warn' && lines.push(message));
  const agent = new Agent((await home.createWorker('W')).id, away);
  await agent.tell('x');
  const begun = Date.now();
  // One is handled and one waits for it.
  for (let number = 0; number < MANY + 1; number += 1) agent.tell('x');
  await assertLimited(lines, /^A tell to worker "W#1" was dropped/, begun);
  release();
});

test('tells that fail in their handler are a line a second, with their number, and an event each', async (t) => {
  const W = worker('W', {
    onTell() {
      throw new Error('not known');
    },
  });
  const broker = await memorySystem(t).start('b', { classes: [W] });
  const lines = [];
  let errors = 0;
  broker.on('log', ({ message }) => lines.push(message));
  broker.on('workerError', () => (errors += 1));
  const begun = Date.now();
  const agent = await broker.createWorker('W');
  for (let number = 0; number < MANY; number += 1) agent.tell('x');
  await assertLimited(lines, /^Worker W#1 failed in 'x': not known/, begun);
  assert.equal(errors, MANY);
});
