'use strict';

/** A namespace that lives through many brokers and workers has the keys of those that live: the long form of a test of `npm test`. */

const { spawnSync } = require('node:child_process');
const { join } = require('node:path');

const [lives = '10000', workers = '1000000'] = process.argv.slice(2);
for (const number of [lives, workers]) {
  if (!/^[1-9]\d*$/.test(number)) {
    console.error(`Expected the numbers of broker lives and of workers but received "${number}". Usage: npm run history [-- LIVES [WORKERS]]`);
    process.exit(1);
  }
}
const cargo = ['test', '--release', '--test', 'redis_scale', 'nothing_is_left', '--', '--nocapture'];
const { status } = spawnSync('cargo', cargo, {
  cwd: join(__dirname, '..'),
  stdio: 'inherit',
  env: { ...process.env, DWORKER_TEST_LIVES: lives, DWORKER_TEST_WORKERS: workers },
});
process.exit(status ?? 1);
