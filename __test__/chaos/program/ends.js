'use strict';

/**
 * A broker that ends in the middle of its work: by `process.exit`, by an exception, or with its thread.
 */

const { once } = require('node:events');
const { createInterface } = require('node:readline');
const { Worker: Thread, isMainThread, workerData } = require('node:worker_threads');

const { how, times, option } = isMainThread ? JSON.parse(process.argv[2]) : workerData;

async function work() {
  const { Broker, Worker } = require('../../..');
  class Short extends Worker {
    onAsk() {
      return 1;
    }
  }
  const broker = new Broker(`short-${process.pid}-${isMainThread ? 0 : workerData.n}`, option);
  broker.registerWorker(Short);
  await broker.start();
  const agent = await broker.createWorker('Short', { attributes: { recoverable: false } });
  const busy = () => agent.ask('any').then(busy, busy);
  busy();
}

async function main() {
  const orders = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  for (let n = 0; n < times; n += 1) {
    if (how === 'thread') {
      const thread = new Thread(__filename, { workerData: { how, option, n } });
      await once(thread, 'message');
      console.log('ready');
      await orders.next();
      console.log('ended');
      await thread.terminate();
      await orders.next();
    } else {
      await work();
      console.log('ready');
      await orders.next();
      if (how === 'exit') process.exit(3);
      setImmediate(() => {
        throw new Error('crash');
      });
      return;
    }
  }
  process.exit(0);
}

if (isMainThread) main();
else work().then(() => require('node:worker_threads').parentPort.postMessage('ready'));
