'use strict';

/**
 * `npm run mutants [-- GROUP…] [-- --shard 1/8]`: changes the code of the core's decisions, one small change at a time, and runs the Rust
 * tests that should notice it. Lists the changes that no test noticed, and ends with 1 where a group has more than 5 % of them.
 *
 * It needs cargo-mutants (`cargo install --locked cargo-mutants`). A change costs one incremental build and the tests of its group. A whole
 * group takes from minutes to an hour; `--shard 1/8` takes every eighth change.
 */

const { spawnSync } = require('node:child_process');
const { existsSync, readFileSync } = require('node:fs');
const { join } = require('node:path');
const { parseArgs } = require('node:util');

const ROOT = join(__dirname, '..');
const OUTPUT = join(ROOT, 'target', 'mutants');
/** The largest share of changes that may pass unnoticed. */
const LIMIT = 0.05;

/** By name: the files that are changed, and the test binaries that run. All but `wire` also have tests of whole brokers in memory. */
const BROKERS = ['broker_death', 'broker_order', 'broker_registry', 'broker_timeouts'];
const GROUPS = {
  wire: { files: ['src/wire/**/*.rs'], tests: ['wire_codec', 'wire_corpus', 'wire_handshake'] },
  lease: { files: ['src/broker/lease/*.rs'], tests: ['broker_death', 'broker_timeouts'] },
  membership: { files: ['src/broker/membership/*.rs'], tests: BROKERS },
  directory: { files: ['src/broker/directory/*.rs'], tests: BROKERS },
  activation: { files: ['src/broker/activation/*.rs'], tests: BROKERS },
  calls: { files: ['src/broker/calls/*.rs'], tests: ['broker_order', 'broker_timeouts'] },
};

/** Those that the unit tests alone decide: a change costs seconds. */
const UNIT = {
  files: [
    'src/broker/calls/table.rs', 'src/broker/directory/avoided.rs', 'src/broker/directory/lane.rs', 'src/broker/directory/lanes.rs', 'src/broker/lease/gate.rs',
    'src/broker/lease/server_clock.rs', 'src/broker/lease/stall.rs', 'src/broker/membership/neighbours.rs', 'src/broker/membership/ranking.rs',
    'src/broker/membership/remembered.rs', 'src/wire/call_chain.rs',
  ],
  tests: [],
};

function lines(output, name) {
  try {
    return readFileSync(join(output, 'mutants.out', name), 'utf8').split('\n').filter((line) => line !== '');
  } catch {
    return [];
  }
}

function run(name, { files, tests }, shard) {
  for (const file of files) if (!file.includes('*') && !existsSync(join(ROOT, file))) throw new Error(`${file} does not exist: mend the groups in scripts/mutants.js`);
  const output = join(OUTPUT, name);
  const chosen = files.flatMap((file) => ['--file', file]);
  // For the build of each change too, which would otherwise be one of all test binaries.
  const targets = ['--lib', ...tests.flatMap((test) => ['--test', test])].map((word) => `--cargo-arg=${word}`);
  const options = ['--timeout', '120', '--build-timeout', '900', '--no-shuffle', '--output', output, ...(shard === undefined ? [] : ['--shard', shard])];
  const { error } = spawnSync('cargo', ['mutants', ...options, ...targets, ...chosen], { cwd: ROOT, stdio: 'inherit' });
  if (error) throw error;
  const missed = lines(output, 'missed.txt');
  const noticed = lines(output, 'caught.txt').length + lines(output, 'timeout.txt').length;
  const total = missed.length + noticed;
  if (total === 0) throw new Error(`cargo mutants made no change in ${name}: is it installed, and do the files exist?`);
  console.log(`${name}: ${missed.length} of ${total} changes went unnoticed (${((100 * missed.length) / total).toFixed(1)} %)`);
  for (const line of missed) console.log(`  ${line}`);
  return missed.length / total;
}

function main() {
  const { values, positionals } = parseArgs({ options: { shard: { type: 'string' } }, allowPositionals: true });
  const groups = { unit: UNIT, ...GROUPS };
  const names = positionals.length === 0 ? ['unit'] : positionals;
  for (const name of names) if (!(name in groups)) throw new Error(`Unknown group ${name}: choose of ${Object.keys(groups).join(', ')}`);
  const shares = names.map((name) => run(name, groups[name], values.shard));
  process.exitCode = shares.every((share) => share <= LIMIT) ? 0 : 1;
}

main();
