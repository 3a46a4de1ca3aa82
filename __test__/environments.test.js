'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { runToEnd } = require('./helpers/programs');
const { onRedis } = require('./helpers/systems');

/** Rounds of environments that end under load; more of them by `DWORKER_TEST_ENDS=200`. */
const MORE = Number(process.env.DWORKER_TEST_ENDS || 0);
const ROUNDS = { loop: MORE || 20, task: MORE || 3 };
const EXITS = { loop: 5, task: 2 };
const LIMIT_MS = 100000 + MORE * 10000;

onRedis((system, server) => {
  for (const sockets of ['loop', 'task']) {
    const env = () => ({ DWORKER_SOCKETS: sockets, DWORKER_REDIS_URL: server().url });

    test(`three environments with three brokers each may end under load ${ROUNDS[sockets]} times, sockets: '${sockets}'`, { timeout: LIMIT_MS }, async () => {
      const rounds = ROUNDS[sockets];
      const { code, stdout, stderr } = await runToEnd('environments.js', { ...env(), ROUNDS: `${rounds}` }, LIMIT_MS);
      assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
      const { before, after } = JSON.parse(stdout);
      assert.ok(after <= before, `${after} descriptors, of ${before} before`);
    });

    test(`a process may exit under load ${EXITS[sockets]} times, sockets: '${sockets}'`, async () => {
      for (let n = 0; n < EXITS[sockets]; n += 1) {
        await server().command('FLUSHALL');
        assert.deepEqual(await runToEnd('exits.js', { ...env(), WAY: 'exitUnderLoad' }), { stdout: '', stderr: '', code: 7 });
      }
    });
  }
});
