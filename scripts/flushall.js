'use strict';

/**
 * `npm run flushall [-- --workers 350000]`: one process holds that many workers, Redis is emptied, and another process creates or
 * finds some of them at once. The exit code is 1 if an instance was replaced, or if a worker was not found on its broker.
 */

const { monitorEventLoopDelay } = require('node:perf_hooks');
const { parseArgs } = require('node:util');
const { Child, answerCalls } = require('../support/child');
const { startRedis } = require('../support/redis-server');
const { sleep } = require('../support/wait');

const IN_FLIGHT = 256;
/** How many workers the other process asks for. */
const SAMPLE = 50;

/** The operations of both processes, which the main process calls. */
function serve() {
  const { Broker, Worker } = require('..');
  const [name, redis] = process.argv.slice(3);
  let created = 0;
  class Held extends Worker {
    onCreate() {
      created += 1;
    }

    onAsk() {
      return name;
    }
  }
  // Creating this many workers, and asking while all of them are restored, takes longer than the default limits.
  const broker = new Broker(name, { redis, promise: 'native', retries: { duration: 60_000 }, rpcTimeout: 60_000 });
  broker.registerWorker(Held);
  const seen = { destroyed: 0, suspended: 0, put: false };
  Held.prototype.onDestroy = () => {
    seen.destroyed += 1;
  };
  broker.on('suspended', () => {
    seen.suspended += 1;
  });
  broker.on('log', ({ message }) => {
    if (message.includes('has restored its part of the cluster state')) seen.put = true;
  });
  const attributes = { recoverable: true };
  const create = (id) => broker.createWorker('Held', { id, attributes });
  /** On a busy machine the broker may count as stalled for a moment; it gets no workers then. */
  const createPatiently = (id) => create(id).catch(async (error) => {
    if (error.code !== 'DW_ERR_NO_BROKER') throw error;
    await sleep(1000);
    return createPatiently(id);
  });
  const delay = monitorEventLoopDelay({ resolution: 10 });
  const operations = {
    start: () => broker.start(),
    seen: () => ({ ...seen, created, stall: delay.max / 1e6, memory: process.memoryUsage().rss }),
    /** Measures the longest turn of the event loop from now on. */
    watch() {
      delay.enable();
      delay.reset();
    },
    async populate(count) {
      let next = 0;
      const some = async () => {
        while (next < count) {
          next += 1;
          await createPatiently(`w${next - 1}`);
        }
      };
      await Promise.all(Array.from({ length: IN_FLIGHT }, some));
    },
    /** The broker that runs each of these workers, or the code of the error. */
    where: (ids) => Promise.all(ids.map((id) => create(id).then((agent) => agent.ask('who')).catch(({ code }) => code))),
  };
  answerCalls(operations);
}

/** Starts a process with a broker of this id. */
async function launch(id, url) {
  const child = new Child(__filename, ['serve', id, url], { name: `The process of broker ${id}` });
  await child.ready();
  await child.call('start');
  return child;
}

const mebibytes = (bytes) => `${Math.round(bytes / 1024 / 1024)} MiB`;

async function main() {
  const { values: given } = parseArgs({ options: { workers: { type: 'string', default: '350000' } } });
  const workers = Number(given.workers);
  const server = await startRedis();
  const processes = [];
  const start = async (name) => {
    const child = await launch(name, server.url);
    processes.push(child);
    return child;
  };
  try {
    const holder = await start('holder');
    await holder.call('populate', workers);
    console.log(`${workers} workers: ${mebibytes((await holder.call('seen')).memory)} in their process`);
    const other = await start('other');
    await holder.call('watch');
    const began = Date.now();
    await server.command('FLUSHALL');
    const ids = Array.from({ length: SAMPLE }, (_, n) => `w${Math.floor(((n + 0.5) * workers) / SAMPLE)}`);
    const answers = await other.call('where', ids);
    console.log(`${SAMPLE} of ${workers} workers were found after ${Date.now() - began} ms`);
    let seen = await holder.call('seen');
    while (!seen.put) {
      await sleep(100);
      seen = await holder.call('seen');
    }
    console.log(`all workers were restored after ${Date.now() - began} ms; the broker was suspended ${seen.suspended} times`);
    console.log(`longest turn of the event loop ${Math.round(seen.stall)} ms; ${mebibytes(seen.memory)} in the process`);
    const elsewhere = answers.filter((name) => name !== 'holder');
    const replaced = seen.destroyed + (await other.call('seen')).created;
    console.log(`${replaced} instances were replaced; ${elsewhere.length} workers were not found on their broker ${elsewhere.join(' ')}`);
    process.exitCode = replaced + elsewhere.length > 0 ? 1 : 0;
  } finally {
    await Promise.all(processes.map((child) => child.kill()));
    await server.stop();
  }
}

if (process.argv[2] === 'serve') serve();
else {
  main().catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
