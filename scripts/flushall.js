'use strict';

/**
 * `npm run flushall [-- --workers 350000]`: one process has that many workers, Redis loses everything, and another process
 * creates or finds some of them at once. Ends with 1 where an instance was replaced or a worker was not found where it lives.
 */

const { fork } = require('node:child_process');
const { once } = require('node:events');
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
    if (message.includes('has put back what it holds')) seen.put = true;
  });
  const attributes = { recoverable: true };
  const create = (id) => broker.createWorker('Held', { id, attributes });
  const operations = {
    start: () => broker.start(),
    seen: () => ({ ...seen, created }),
    async populate(count) {
      let next = 0;
      const some = async () => {
        while (next < count) {
          next += 1;
          await create(`w${next - 1}`);
        }
      };
      await Promise.all(Array.from({ length: IN_FLIGHT }, some));
    },
    /** Who answers for each of these. */
    where: (ids) => Promise.all(ids.map((id) => create(id).then((agent) => agent.ask('who')).catch(({ code }) => code))),
  };
  process.on('message', async ([operation, argument]) => process.send([await operations[operation](argument)]));
}

async function main() {
  const { values: given } = parseArgs({ options: { workers: { type: 'string', default: '350000' } } });
  const workers = Number(given.workers);
  const server = await startRedis();
  const ended = [];
  const start = async (name) => {
    const child = fork(__filename, ['serve', name, server.url]);
    ended.push(() => child.kill('SIGKILL'));
    const call = async (operation, argument) => {
      const [[answer]] = await Promise.all([once(child, 'message'), child.send([operation, argument])]);
      return answer[0];
    };
    await call('start');
    return call;
  };
  try {
    const holder = await start('holder');
    await holder('populate', workers);
    const other = await start('other');
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
    const elsewhere = answers.filter((name) => name !== 'holder');
    const replaced = seen.destroyed + (await other('seen')).created;
    console.log(`${replaced} instances were replaced; ${elsewhere.length} workers were not found where they live ${elsewhere.join(' ')}`);
    process.exitCode = replaced + elsewhere.length > 0 ? 1 : 0;
  } finally {
    ended.forEach((end) => end());
    await server.stop();
  }
}

if (process.argv[2] === 'serve') serve();
else main();
