'use strict';

/**
 * The smallest program: one broker, one worker, no server.
 *
 *     node examples/hello.js
 *     DWORKER_REDIS_URL=redis://127.0.0.1:6379 node examples/hello.js
 */

const { Broker, Worker } = require('..');

class Counter extends Worker {
  async onCreate() {
    this.count = 0;
  }

  onTell(method, step) {
    if (method === 'add') this.count += step;
  }

  async onAsk(method) {
    if (method === 'total') return this.count;
    throw new Error(`Counter has no method ${method}`);
  }
}

async function main() {
  const broker = new Broker('hello', { redis: process.env.DWORKER_REDIS_URL || 'memory://' });
  broker.registerWorker(Counter);
  await broker.start();
  const counter = await broker.createWorker('Counter', { id: 'visits', attributes: { recoverable: true } });
  counter.tell('add', 1);
  counter.tell('add', 41);
  console.log(`${counter.id}: ${await counter.ask('total')}`);
  await broker.destroy({ noRecover: true });
  broker.quit();
}

main();
