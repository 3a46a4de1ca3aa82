'use strict';

const assert = require('node:assert/strict');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { Agent, Broker, Worker } = require('..');
const { atEnd } = require('./helpers/cleanup');
const { Child } = require('../support/child');
const { startRedis } = require('../support/redis-server');
const { memorySystem } = require('./helpers/systems');
const { until } = require('../support/wait');

const PROGRAM = path.join(__dirname, 'fixtures', 'ended.js');
const RECOVERABLE = { attributes: { recoverable: true } };

describe('a worker that ended for good while another of its handlers ran', () => {
  let server;
  before(async () => {
    server = await startRedis();
  });
  after(() => server.stop());

  for (const how of ['exit', 'SIGKILL', 'SIGTERM', 'in onDestroy']) {
    test(`is not recovered when its process ends (${how})`, async (t) => {
      const ns = `ended ${how}`;
      const child = new Child(PROGRAM, [JSON.stringify({ redis: server.url, ns, how })], { name: 'The process of the worker' });
      atEnd(t, () => child.kill());
      await child.ready();
      const recovered = [];
      class Room extends Worker {
        onCreate() {
          recovered.push(this.id);
        }
      }
      const other = new Broker('other', { redis: server.url, ns, clustername: 'callers', promise: 'native' });
      other.registerWorker(Room, { clustername: 'main' });
      await other.start();
      const room = await other.createWorker('Room', { id: 'room', ...RECOVERABLE });
      const spare = new Broker('spare', { redis: server.url, ns, promise: 'native' });
      spare.registerWorker(class Room2 extends Room { static classname = 'Room'; });
      await spare.start();
      atEnd(t, async () => {
        await spare.destroy();
        await other.destroy();
        spare.quit();
        other.quit();
      });
      const slow = room.ask('slow', undefined, { timeout: 20_000 }).catch(({ code }) => code);
      if (how === 'in onDestroy') room.ask('end').catch(() => {});
      else {
        const ending = child.message();
        await room.ask('end');
        await ending;
        if (how === 'exit') child.process.send('exit');
        else child.process.kill(how);
      }
      await child.ended;
      assert.equal(await slow, 'DW_ERR_PEER_LOST');
      await until('nobody has it', async () => (await other.findWorker('room')) === null);
      assert.deepEqual(recovered, []);
    });
  }
});

describe('what never ends', () => {
  test('holds up no other class: all of another one are recovered beside 1 200 activations that hang', async (t) => {
    class Audit extends Worker {
      onCreate({ cause }) {
        return cause === Worker.CreateCause.RECOVERY ? new Promise(() => {}) : undefined;
      }
    }
    class Room extends Worker {
      onAsk() {
        return 'here';
      }
    }
    const system = memorySystem(t);
    const first = await system.start('first', { classes: [Audit, Room] });
    const make = (name, count) => Promise.all(Array.from({ length: count }, (_, n) => first.createWorker(name, { id: `${name}${n}`, ...RECOVERABLE })));
    await make('Audit', 1200);
    await make('Room', 20);
    const second = await system.start('second', { classes: [Audit, Room], destroyTimeout: 100 });
    await first.destroy();
    await Promise.all(Array.from({ length: 20 }, (_, n) => new Agent(`Room${n}`, second).ask('where', undefined, { timeout: 4000 })));
  });

  function broker(t, classes, option) {
    const lines = [];
    const system = memorySystem(t);
    return system.start('b', { classes, destroyTimeout: 1000, rpcTimeout: 300, log: ({ message }) => lines.push(message), ...option }).then((started) => ({ started, lines }));
  }

  test('is reported once for all of a class, with its age', async (t) => {
    class Hung extends Worker {
      onCreate() {
        return new Promise(() => {});
      }
    }
    class Stuck extends Worker {
      static concurrency = 'serial';
      onAsk() {
        return new Promise(() => {});
      }
    }
    const { started, lines } = await broker(t, [Hung, Stuck]);
    await Promise.all(['h1', 'h2', 'h3'].map((id) => started.createWorker('Hung', { id }).catch(() => {})));
    const stuck = await started.createWorker('Stuck', { id: 's' });
    stuck.ask('think').catch(() => {});
    await until('both are reported', () => lines.filter((line) => line.includes('has been in')).length === 2, 12_000);
    assert.match(lines.find((line) => line.includes('onCreate')), /h[123] of class Hung and 2 more of its class has been in onCreate for \d\.\d s/);
    assert.match(lines.find((line) => line.includes("'think'")), /Worker s of class Stuck has been in 'think' for \d\.\d s/);
  });

  test('is ended by destroy() from outside, an onCreate and the handler of a serial worker alike', async (t) => {
    const workers = new Map();
    const seen = [];
    class Hung extends Worker {
      static concurrency = 'serial';
      onCreate() {
        workers.set(this.id, this);
        return this.id === 'in onCreate' ? new Promise(() => {}) : undefined;
      }
      onAsk() {
        return new Promise(() => {});
      }
      onDestroy() {
        seen.push(this.id);
      }
    }
    const { started } = await broker(t, [Hung]);
    await started.createWorker('Hung', { id: 'in onCreate' }).catch(() => {});
    const agent = await started.createWorker('Hung', { id: 'in a handler' });
    agent.ask('think').catch(() => {});
    await until('it has the message', () => agent.ask('more').catch(({ code }) => code === 'DW_ERR_TIMEOUT'));
    for (const worker of workers.values()) worker.destroy();
    for (const id of workers.keys()) {
      await until(`${id} is gone`, async () => (await started.findWorker(id)) === null);
    }
    assert.deepEqual(seen.sort(), ['in a handler', 'in onCreate']);
  });

  test('takes its turn: onDestroy of a serial worker runs when its handler has settled', async (t) => {
    const order = [];
    let settle;
    class Serial extends Worker {
      static concurrency = 'serial';
      onAsk() {
        order.push('handler begins');
        return new Promise((resolve) => {
          settle = () => {
            order.push('handler ends');
            resolve('answer');
          };
        });
      }
      onDestroy() {
        order.push('onDestroy');
      }
    }
    const { started } = await broker(t, [Serial], { destroyTimeout: 10_000, rpcTimeout: 10_000 });
    const agent = await started.createWorker('Serial', RECOVERABLE);
    const answer = agent.ask('x');
    await until('the handler runs', () => settle !== undefined);
    const gone = started.destroy();
    setTimeout(() => settle(), 100);
    assert.equal(await answer, 'answer');
    await gone;
    assert.deepEqual(order, ['handler begins', 'handler ends', 'onDestroy']);
  });
});
