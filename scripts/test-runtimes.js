'use strict';

/** Fetches Deno and Bun from npm into `target/runtimes`, and runs a program that uses the built package on each. */

const { mkdirSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { FOLDER, RUNTIMES, commandOf } = require('../__test__/helpers/runtimes');
const { ROOT } = require('./support/prepare');
const { run } = require('./support/run');
const { main, say, step } = require('./support/terminal');

async function fetch() {
  const missing = RUNTIMES.filter((runtime) => commandOf(runtime) === null).map(({ name }) => name);
  if (missing.length === 0) return;
  step(`Fetching ${missing.join(' and ')} from npm`);
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(join(FOLDER, 'package.json'), '{"private":true}');
  await run('npm', ['install', '--no-audit', '--no-fund', ...missing], { cwd: FOLDER });
}

main(async () => {
  await fetch();
  const unavailable = RUNTIMES.filter((runtime) => commandOf(runtime) === null).map(({ name }) => name);
  step('Running the program on each');
  const { code } = await run(process.execPath, ['--test', '--test-reporter=spec', join('__test__', 'runtimes.test.js')], { cwd: ROOT });
  for (const name of unavailable) say(`SKIPPED: ${name} cannot be had from npm here.`);
  return code;
});
