'use strict';

const assert = require('node:assert/strict');
const { once } = require('node:events');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { Worker: Thread } = require('node:worker_threads');
const { Child } = require('../support/child');
const { startRedis } = require('../support/redis-server');
const { sleep } = require('../support/wait');

/** How many threads are terminated. To run more of them: DWORKER_TEST_TERMINATIONS=200. */
const TERMINATIONS = Number(process.env.DWORKER_TEST_TERMINATIONS || 20);
/** How long a lease may remain after its thread or process has ended. */
const LIMIT_MS = 200;

let server;
before(async () => {
  server = await startRedis();
});
after(() => server.stop());

async function leases(ns) {
  return Number((await server.command(`ZCARD {${ns}}:leases`)).slice(1));
}

/** How long after now the last lease was seen; stays zero where somebody goes on to renew. */
async function released(ns) {
  const began = Date.now();
  while ((await leases(ns)) > 0) {
    assert.ok(Date.now() - began < 5000, 'the lease is never released');
    await sleep(5);
  }
  const took = Date.now() - began;
  await sleep(50);
  assert.equal(await leases(ns), 0);
  return took;
}

describe('a lease is released within 200 ms', () => {
  test(`after a thread was terminated under load, ${TERMINATIONS} times`, async () => {
    const took = [];
    for (let n = 0; n < TERMINATIONS; n += 1) {
      const option = { redis: server.url, ns: `t${n}` };
      const thread = new Thread(path.join(__dirname, 'fixtures', 'thread.js'), { workerData: { id: 'thread', option, load: true } });
      await once(thread, 'message');
      assert.equal(await leases(option.ns), 1);
      await thread.terminate();
      took.push(await released(option.ns));
    }
    took.sort((a, b) => a - b);
    assert.ok(took.at(-1) <= LIMIT_MS, `${took} ms`);
  });

  for (const [way, expected] of [['process.exit()', 3], ['an error that nobody catches', 1]]) {
    test(`after a process ended by ${way}`, async () => {
      for (let n = 0; n < 3; n += 1) {
        const option = { redis: server.url, ns: `p${expected}-${n}` };
        const argument = JSON.stringify({ id: 'b', option, way });
        const child = new Child(path.join(__dirname, 'fixtures', 'leaving.js'), [argument], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
        assert.equal(await child.ended, expected);
        assert.ok((await released(option.ns)) <= LIMIT_MS);
      }
    });
  }
});
