'use strict';

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { runToEnd } = require('./helpers/programs');
const { startRedis } = require('../support/redis-server');

let server;
before(async () => {
  server = await startRedis();
});
after(() => server.stop());

for (const coordinator of ['memory', 'Redis']) {
  describe(`the process, on ${coordinator}`, () => {
    const run = async (WAY) => {
      if (coordinator === 'Redis') await server.command('FLUSHALL');
      return runToEnd('exits.js', { WAY, DWORKER_REDIS_URL: coordinator === 'Redis' ? server.url : 'memory://' });
    };

    test('ends by itself after destroy() and quit()', async () => {
      assert.deepEqual(await run('destroyAndQuit'), { stdout: 'done\n', stderr: '', code: 0 });
    });
    test('ends after destroy() alone', async () => {
      assert.deepEqual(await run('destroyAlone'), { stdout: 'done\n', stderr: '', code: 0 });
    });
    test('ends where the broker was never started', async () => {
      assert.deepEqual(await run('neverStarted'), { stdout: 'done\n', stderr: '', code: 0 });
    });
    test('ends after two brokers that talked to each other', async () => {
      assert.deepEqual(await run('twoBrokers'), { stdout: 'done\n', stderr: '', code: 0 });
    });
    test('goes on while a broker is started', async () => {
      assert.deepEqual(await run('stillStarted'), { stdout: 'done\nalive\n', stderr: '', code: 0 });
    });
    test('ends with its own code under load, without a crash', async () => {
      assert.deepEqual(await run('exitAtOnce'), { stdout: '', stderr: '', code: 7 });
    });
  });
}

test('the process ends after a start that failed', async () => {
  assert.deepEqual(await runToEnd('exits.js', { WAY: 'failedStart' }), { stdout: 'DW_ERR_REDIS 0\ndone\n', stderr: '', code: 0 });
});

test('the process ends after close() of a router', async () => {
  assert.deepEqual(await runToEnd('exits.js', { WAY: 'router' }), { stdout: 'hello\ndone\n', stderr: '', code: 0 });
});

test('the process ends where a router could not listen', async () => {
  assert.deepEqual(await runToEnd('exits.js', { WAY: 'routerInVain' }), { stdout: 'DW_ERR_CONFIG\ndone\n', stderr: '', code: 0 });
});
