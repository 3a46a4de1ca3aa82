'use strict';

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { Agent, Broker, Worker } = require('..');
const { memorySystem } = require('./helpers/systems');
const { rejection, until } = require('../support/wait');

const LEVELS = ['debug', 'info', 'warn', 'error'];

/** Keeps its lines as `{level, message, …fields}`; its functions need their `this`, as those of Pino do. */
class Recorder {
  lines = [];
  find(fields) {
    return this.lines.find((line) => Object.entries(fields).every(([key, value]) => line[key] === value));
  }
}
for (const level of LEVELS) {
  Recorder.prototype[level] = function (fields, message) {
    this.lines.push({ level, message, ...fields });
  };
}

class Failing extends Worker {
  static methods = ['fail'];
  fail(error) {
    throw new RangeError(error);
  }
}

describe('A logger', () => {
  test('gets the failure of a worker with its fields and its error', async (t) => {
    const log = new Recorder();
    const broker = await memorySystem(t).start('b', { classes: [Failing], log });
    const agent = await broker.createWorker('Failing', { id: 'f' });
    await agent.send.fail('no');
    const line = await until('the failure is logged', () => log.find({ method: 'fail' }));
    const { epoch, err, ...rest } = line;
    assert.deepEqual(rest, { level: 'error', message: "Worker f failed in 'fail': no", broker: 'b', worker: 'f', class: 'Failing', method: 'fail' });
    assert.match(epoch, /^\d+$/);
    assert.equal(err.name, 'RangeError');
  });

  test('gets the life of brokers and workers as events', async (t) => {
    const log = new Recorder();
    const system = memorySystem(t);
    const broker = await system.start('b', { classes: [Failing], log });
    await broker.createWorker('Failing', { id: 'f' });
    const { epoch, ...activated } = log.find({ event: 'activated' });
    assert.deepEqual(activated, { level: 'debug', message: 'Worker f activated', broker: 'b', event: 'activated', worker: 'f', class: 'Failing', cause: Worker.CreateCause.NEW });
    await broker.destroy();
    assert.deepEqual(log.find({ event: 'ended' }), { ...activated, message: 'Worker f ended', event: 'ended', cause: Worker.DestroyCause.SYSTEM, epoch });
    const states = log.lines.filter(({ event }) => event === 'state').map(({ from, to }) => `${from} ${to}`);
    assert.deepEqual(states, ['INACTIVE ACTIVATING', 'ACTIVATING ACTIVE', 'ACTIVE DESTROYING', 'DESTROYING DESTROYED']);
  });

  test('gets a lost worker and a failed constructor', async (t) => {
    const log = new Recorder();
    class Broken extends Worker {
      constructor() {
        super();
        throw new Error('cannot be');
      }
    }
    const broker = await memorySystem(t).start('b', { classes: [Broken], log });
    await rejection(broker.createWorker('Broken', { id: 'x' }));
    const { err, ...line } = log.find({ method: 'constructor' });
    assert.deepEqual(line, { level: 'error', message: 'Worker x of class Broken could not be constructed: cannot be', broker: 'b', worker: 'x', class: 'Broken', method: 'constructor' });
    assert.equal(err.message, 'cannot be');
  });

  test('gets the lines of the core, and the same ones as listeners', async (t) => {
    const log = new Recorder();
    const system = memorySystem(t);
    const broker = await system.start('b', { log });
    const heard = [];
    broker.on('log', (event) => heard.push(event));
    const agent = new Agent('nobody', broker);
    const listener = () => {};
    broker.on('log', listener).off('log', listener);
    await agent.tell('x').catch(() => {});
    broker.removeAllListeners('log');
    await broker.destroy();
    const sentences = log.lines.filter(({ event }) => event === undefined);
    assert.ok(heard.length > 0 || sentences.length > 0);
    for (const event of heard) {
      assert.deepEqual(Object.keys(event), ['id', 'level', 'message']);
      assert.ok(log.find({ level: event.level, message: event.message, broker: 'b' }), event.message);
    }
    assert.ok(log.find({ message: 'Broker b has been destroyed' }));
  });

  test('gets lines that repeat once a second, with their number', async (t) => {
    const log = new Recorder();
    const broker = await memorySystem(t).start('b', { classes: [Failing], log });
    const agent = await broker.createWorker('Failing', { id: 'f' });
    for (let number = 0; number < 5; number += 1) agent.send.fail('no');
    const counted = await until('the rest is counted', () => log.lines.find(({ lines }) => lines > 1));
    assert.deepEqual([counted.lines, counted.worker], [4, 'f']);
    assert.match(counted.message, /\(4 such lines in the last second\)$/);
  });

  test('gets mistakes instead of a process warning', async (t) => {
    const log = new Recorder();
    const warnings = [];
    const listener = (warning) => warnings.push(warning);
    process.on('warning', listener);
    t.after(() => process.off('warning', listener));
    await memorySystem(t).start('b', { log, rpcTimeOut: 5 });
    assert.equal(log.find({ level: 'warn' }).broker, 'b');
    assert.match(log.find({ level: 'warn' }).message, /Unknown option rpcTimeOut/);
    assert.deepEqual(warnings.filter(({ message }) => message.includes('rpcTimeOut')), []);
  });

  for (const log of [null, 'info', 1, true, {}, { info() {} }, { debug() {}, info() {}, warn() {}, error: 1 }]) {
    test(`is refused where it is ${JSON.stringify(log)}`, () => {
      assert.throws(() => new Broker('b', { redis: 'memory://', log }), { code: 'DW_ERR_CONFIG', message: /log/ });
    });
  }
});

test('The real Pino writes the fields', async (t) => {
  let pino;
  try {
    pino = require('pino');
  } catch {
    t.skip('pino is not installed: run "npm ci"');
    return;
  }
  const lines = [];
  const log = pino({ level: 'debug' }, { write: (text) => lines.push(JSON.parse(text)) });
  const broker = await memorySystem(t).start('b', { classes: [Failing], log: log.child({ service: 'shop' }) });
  const agent = await broker.createWorker('Failing', { id: 'f' });
  await agent.send.fail('no');
  const line = await until('the failure is logged', () => lines.find(({ method }) => method === 'fail'));
  assert.deepEqual([line.level, line.service, line.broker, line.worker, line.class, line.err.type, line.msg], [50, 'shop', 'b', 'f', 'Failing', 'RangeError', "Worker f failed in 'fail': no"]);
  assert.ok(lines.some(({ event }) => event === 'activated'));
});
