'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { hasEventLoop } = require('../lib/options');
const { runToEnd } = require('./helpers/programs');
const { RUNTIMES, commandOf } = require('./helpers/runtimes');
const { onRedis } = require('./helpers/systems');

const PRINTS = '{"answers":200,"by":"host","large":1048576,"port":true}\n';
const LIMIT_MS = 40000;

test('only Node.js serves sockets on its event loop', () => {
  const { node, uv } = process.versions;
  assert.equal(hasEventLoop(process.versions), true);
  // What Deno 2.9 and Bun 1.4 say of themselves: both claim to have libuv.
  assert.equal(hasEventLoop({ node, uv, deno: '2.9.6' }), false);
  assert.equal(hasEventLoop({ node, uv, bun: '1.4.5' }), false);
  assert.equal(hasEventLoop({ node }), false);
});

onRedis((system, server) => {
  for (const runtime of RUNTIMES) {
    const command = commandOf(runtime);
    const skip = command === null && `${runtime.name} is not installed: run "npm run test:runtimes", which fetches it`;
    for (const sockets of ['', 'loop']) {
      test(`brokers on ${runtime.name} answer, and the program ends by itself, DWORKER_SOCKETS='${sockets}'`, { skip }, async () => {
        await server().command('FLUSHALL');
        const env = { DWORKER_SOCKETS: sockets, REDIS: server().url };
        assert.deepEqual(await runToEnd('runtime.cjs', env, LIMIT_MS, command), { code: 0, stdout: PRINTS, stderr: '' });
      });
    }
  }

  test('the same program on Node.js', async () => {
    await server().command('FLUSHALL');
    assert.deepEqual(await runToEnd('runtime.cjs', { REDIS: server().url }), { code: 0, stdout: PRINTS, stderr: '' });
  });
});
