'use strict';

const assert = require('node:assert/strict');
const { Worker: Thread } = require('node:worker_threads');
const { describe, test } = require('node:test');
const { Agent, Broker, Router, Worker } = require('..');
const { Log } = require('../lib/base/log');
const { runToEnd } = require('./helpers/programs');
const { worker } = require('./helpers/classes');

const MISTAKES = [
  /new Broker\("b"\): Unknown option rpcTimeOut\. Did you mean rpcTimeout\? The option is ignored\./,
  /registerWorker\(\): Unknown option cluster\. Did you mean clustername\? The option is ignored\./,
  /Worker class Room has a method onDestory\. Did you mean onDestroy\?/,
  /Worker class Room has a static className\. Did you mean classname\?/,
  /createWorker\(\): Unknown option recoverable\. Did you mean attributes\.recoverable\? The option is ignored\./,
  /ask\('x'\) was given \{timeout\} as its data\. Options are the third argument: ask\('x', undefined, \{timeout\}\)\./,
  /ask\(\): Unknown option timeOut\. Did you mean timeout\? The option is ignored\./,
  /destroy\(\): Unknown option noRecovery\. Did you mean noRecover \(the opposite\)\?|destroy\(\): Unknown option noRecovery\. Did you mean noRecover\?/,
];
const FAILURES = [/Worker Room#1 failed in 'onCreate': no database/, /Worker Room#1 failed in '(a|b)': no such method/];

async function run(LISTEN) {
  const { stdout, stderr, code } = await runToEnd('mistakes.js', { LISTEN });
  assert.equal(code, 0, stderr);
  return { heard: JSON.parse(stdout), warnings: stderr.split('\n').filter((line) => line.includes('DworkerWarning')), stderr };
}

describe('mistakes that fail nothing', () => {
  test('are warnings of the process, one of each kind, without a listener', async () => {
    const { heard, warnings, stderr } = await run('');
    assert.deepEqual(heard, []);
    for (const wanted of [...MISTAKES, ...FAILURES]) assert.equal(warnings.filter((line) => wanted.test(line)).length, 1, `${wanted} in ${stderr}`);
    assert.equal(warnings.length, MISTAKES.length + FAILURES.length, stderr);
    assert.match(stderr, /\[DW_WARN_UNKNOWN_OPTION\].+\[DW_WARN_MISPLACED_OPTION\].+\[DW_WARN_UNHEARD_FAILURE\]/s);
    assert.match(stderr, /Error: no such method\n\s+at Room\.onTell/, 'the stack is shown');
  });

  for (const how of ['log', 'option']) {
    test(`are lines of the log with a listener (${how})`, async () => {
      const { heard, stderr } = await run(how);
      assert.equal(stderr, '');
      for (const wanted of MISTAKES) assert.ok(heard.some((line) => line.startsWith('warn: ') && wanted.test(line)), `${wanted} in ${heard}`);
      for (const wanted of FAILURES) assert.ok(heard.some((line) => wanted.test(line)), `${wanted} in ${heard}`);
    });
  }

  test("of handlers are no warnings with a listener of 'workerError'", async () => {
    const { warnings, stderr } = await run('workerError');
    assert.equal(warnings.length, MISTAKES.length, stderr);
    assert.ok(!stderr.includes('DW_WARN_UNHEARD_FAILURE'));
  });

  test('are silent with log: false', async () => {
    assert.deepEqual(await run('silent'), { heard: [], warnings: [], stderr: '' });
  });

  test('of a router are warnings too', async () => {
    const warned = new Promise((resolve) => {
      process.once('warning', resolve);
    });
    new Router({ sockTimeout: 1 }).close();
    assert.match((await warned).message, /^new Router\(\): Unknown option sockTimeout\. Did you mean socTimeout\?/);
  });
});

describe('names of their own are no mistakes', () => {
  test('members of a class that resemble a handler, with and without the handler itself', async () => {
    const lines = [];
    const broker = new Broker('b', { redis: 'memory://', log: ({ message }) => lines.push(message) });
    const W = worker('W', { onAck() {}, onTask() {}, onCreate() {}, onCreated() {}, onTells() {} });
    Object.assign(W, { agents: [], maxQueues: {}, maxQueue: 5 });
    broker.registerWorker(W);
    assert.deepEqual(lines, []);
  });
});

describe('a class that is no worker class', () => {
  const broker = new Broker('b', { redis: 'memory://' });
  class Room extends Array {}
  class Own extends Thread {}
  const cases = [
    [Room, 'class Room, which extends Array'],
    [class {}, 'class (no name), which extends no class'],
    [Own, 'class Own, which extends another Worker (of node:worker_threads, or of another copy of dworker)'],
    [Worker, 'function Worker, which is the base class itself'],
    [function old() {}, 'function old, which extends no class'],
    [() => {}, 'function (no name), which extends no class'],
  ];
  for (const [given, said] of cases) {
    test(`is refused as ${said}`, () => {
      const message = `Expected a subclass of Worker for worker class but received ${said}, of type function`;
      assert.throws(() => broker.registerWorker('Name', given), { code: 'DW_ERR_CONFIG', message });
    });
  }

  test('and so is an agent', () => {
    const W = worker('W');
    W.agent = Room;
    const message = 'Expected a subclass of Agent for agent of the worker class but received class Room, which extends Array, of type function';
    assert.throws(() => broker.registerWorker(W), { code: 'DW_ERR_CONFIG', message });
    assert.throws(() => broker.registerWorker('W', {}), { message: 'Expected a subclass of Worker for worker class but received [object Object] of type object' });
  });
});

test('a call says whether it came before start() or after destroy()', async () => {
  const broker = new Broker('b', { redis: 'memory://', promise: 'native' });
  const agent = new Agent('x', broker);
  await assert.rejects(agent.ask('m'), { code: 'DW_ERR_STATE', message: 'Broker b has not been started. Call start() and wait for it.' });
  await broker.start();
  await broker.destroy();
  const message = 'Broker b has been destroyed, and this call came after that. Call start() to use it again.';
  await assert.rejects(agent.ask('m'), { code: 'DW_ERR_STATE', message });
  broker.quit();
});

describe('a log', () => {
  /** One whose seconds end when the test says so. */
  function observed() {
    const lines = [];
    const log = new Log((level, message) => lines.push(`${level}: ${message}`));
    return { log, lines };
  }

  test('has one line a second of each kind, and the last one names the number of lines that it represents', () => {
    const { log, lines } = observed();
    for (let n = 1; n <= 1000; n += 1) log.write('a', 'warn', `a${n}`);
    log.write('b', 'error', 'b1');
    assert.deepEqual(lines, ['warn: a1', 'error: b1']);
    log.end('a');
    log.end('b');
    assert.deepEqual(lines.splice(0), ['warn: a1', 'error: b1', 'warn: a1000 (999 such lines in the last second)']);
    log.write('a', 'warn', 'a1001');
    assert.deepEqual(lines, [], 'the second of the line before is not over');
    log.end('a');
    assert.deepEqual(lines, ['warn: a1001']);
    log.end('a');
    log.write('a', 'warn', 'a1002');
    assert.deepEqual(lines, ['warn: a1001', 'warn: a1002']);
    log.close();
  });

  test('that is closed keeps nothing back', () => {
    const { log, lines } = observed();
    for (const n of [1, 2, 3]) log.write('a', 'warn', `a${n}`);
    log.close();
    assert.deepEqual(lines, ['warn: a1', 'warn: a3 (2 such lines in the last second)']);
  });
});
