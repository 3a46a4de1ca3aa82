'use strict';

const assert = require('node:assert/strict');
const { after, before, test } = require('node:test');
const { runToEnd } = require('./helpers/programs');
const { startRedis } = require('../support/redis-server');

const LINES = [
  'Test: broker started',
  'MyWorker: onCreate() is called: info={"cause":0}',
  'Test: worker is created: ID=MyWorker#1',
  'MyWorker: onAsk() is called',
  'Test: echo is received: Yahoo!',
  'MyWorker: onTell() is called',
  'MyWorker: logging: {"debug":"echo successful"}',
  'MyWorker: onDestroy() is called: info={"cause":1}',
  'Test: DONE!',
];

let server;
before(async () => {
  server = await startRedis();
});
after(() => server.stop());

for (const [what, fixture] of [['word for word', 'readme-original.js'], ['as an ES class with async handlers', 'readme-class.js']]) {
  test(`the example of the original, ${what}, prints its lines and ends`, async () => {
    for (const url of [server.url, 'memory://']) {
      await server.command('FLUSHALL');
      const { stdout, stderr, code } = await runToEnd(fixture, { DWORKER_REDIS_URL: url });
      assert.deepEqual([stdout.trim().split('\n'), stderr, code], [LINES, '', 0], url);
    }
  });
}

test('the package is there by import as well', async () => {
  assert.deepEqual(await runToEnd('imports.mjs'), { stdout: 'by import true function true\n', stderr: '', code: 0 });
});
