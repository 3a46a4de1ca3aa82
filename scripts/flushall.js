'use strict';

/**
 * `npm run flushall [-- --workers 350000]`: one process has that many workers, Redis loses everything, and another process
 * creates or finds some of them at once. Ends with 1 where an instance was replaced or a worker was not found where it lives.
 */

const { fork } = require('node:child_process');
const { monitorEventLoopDelay } = require('node:perf_hooks');
const { parseArgs } = require('node:util');
const { startRedis } = require('../support/redis-server');
const { sleep } = require('../support/wait');

const IN_FLIGHT = 256;
/** Workers that the other process asks for. */
const SAMPLE = 50;

/** What the process with the workers, and the other one, do when they are told. */
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
  // Who creates that many, or asks while all of them are put back, has time.
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
  /** On a machine that does other work, too, the broker may be taken for stalled for a moment: then it gets no workers. */
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
    /** Who answers for each of these. */
    where: (ids) => Promise.all(ids.map((id) => create(id).then((agent) => agent.ask('who')).catch(({ code }) => code))),
  };
  process.on('message', async ([operation, argument]) => {
    try {
      process.send({ answer: await operations[operation](argument) });
    } catch (error) {
      process.send({ error: String(error) });
    }
  });
}

/** Starts a process: a function that has it do one operation, and rejects where that fails or the process ends. */
function launch(name, url) {
  const child = fork(__filename, ['serve', name, url]);
  const call = (operation, argument) => new Promise((resolve, reject) => {
    const settle = (act) => {
      child.off('message', read).off('exit', end);
      act();
    };
    const read = ({ answer, error }) => settle(() => (error === undefined ? resolve(answer) : reject(new Error(`${name}: ${operation}: ${error}`))));
    const end = (code, signal) => settle(() => reject(new Error(`The process "${name}" ended (${signal ?? `code ${code}`}) during "${operation}".`)));
    if (child.exitCode !== null || child.signalCode !== null) {
      end(child.exitCode, child.signalCode);
      return;
    }
    child.on('message', read).on('exit', end);
    child.send([operation, argument]);
  });
  return Object.assign(call, { stop: () => child.kill('SIGKILL') });
}

const mebibytes = (bytes) => `${Math.round(bytes / 1024 / 1024)} MiB`;

async function main() {
  const { values: given } = parseArgs({ options: { workers: { type: 'string', default: '350000' } } });
  const workers = Number(given.workers);
  const server = await startRedis();
  const processes = [];
  const start = async (name) => {
    const call = launch(name, server.url);
    processes.push(call);
    await call('start');
    return call;
  };
  try {
    const holder = await start('holder');
    await holder('populate', workers);
    console.log(`${workers} workers: ${mebibytes((await holder('seen')).memory)} in their process`);
    const other = await start('other');
    await holder('watch');
    const began = Date.now();
    await server.command('FLUSHALL');
    const ids = Array.from({ length: SAMPLE }, (_, n) => `w${Math.floor(((n + 0.5) * workers) / SAMPLE)}`);
    const answers = await other('where', ids);
    console.log(`${SAMPLE} of ${workers} workers were found after ${Date.now() - began} ms`);
    let seen = await holder('seen');
    while (!seen.put) {
      await sleep(100);
      seen = await holder('seen');
    }
    console.log(`all were put back after ${Date.now() - began} ms; the broker was suspended ${seen.suspended} times`);
    console.log(`longest turn of the event loop ${Math.round(seen.stall)} ms; ${mebibytes(seen.memory)} in the process`);
    const elsewhere = answers.filter((name) => name !== 'holder');
    const replaced = seen.destroyed + (await other('seen')).created;
    console.log(`${replaced} instances were replaced; ${elsewhere.length} workers were not found where they live ${elsewhere.join(' ')}`);
    process.exitCode = replaced + elsewhere.length > 0 ? 1 : 0;
  } finally {
    processes.forEach((call) => call.stop());
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
