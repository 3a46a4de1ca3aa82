'use strict';

/**
 * `npm run properties [-- --seeds N]`: the property tests of the coordinators and of the order of messages with N random seeds (8, when
 * nothing is said). `npm test` runs them with one seed that is always the same. Ends with 1 at the first seed that fails, which it names.
 */

const { spawnSync } = require('node:child_process');
const { randomInt } = require('node:crypto');
const path = require('node:path');
const { parseArgs } = require('node:util');

const ROOT = path.join(__dirname, '..');
const RUST = ['test', '--quiet', '--test', 'coordination_properties', '--test', 'broker_order'];
const JAVASCRIPT = ['--test', '__test__/order.test.js', '__test__/redis-fuzz.test.js', '__test__/packed.test.js'];
const MOST_SEED = 2 ** 31;

const run = (program, args, seed) =>
  spawnSync(program, args, { cwd: ROOT, encoding: 'utf8', env: { ...process.env, DWORKER_TEST_SEED: String(seed) } });

const { values } = parseArgs({ options: { seeds: { type: 'string', default: '8' } } });
const seeds = Number(values.seeds);
if (!Number.isInteger(seeds) || seeds < 1) throw new RangeError(`--seeds: expected a whole number from 1, got ${values.seeds}`);

for (let round = 1; round <= seeds; round += 1) {
  const seed = randomInt(1, MOST_SEED);
  for (const [program, args] of [['cargo', RUST], [process.execPath, JAVASCRIPT]]) {
    const { status, stdout, stderr } = run(program, args, seed);
    if (status !== 0) {
      console.log(stdout, stderr);
      console.log(`seed ${seed}: ${path.basename(program)} failed; DWORKER_TEST_SEED=${seed} repeats it`);
      process.exit(1);
    }
  }
  console.log(`seed ${seed}: passed (${round} of ${seeds})`);
}
