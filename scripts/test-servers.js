'use strict';

/**
 * `npm run test:servers [-- NAME…]`: the JavaScript suite and the Rust suites that need a server, on real servers of
 * several versions, ending in a table.
 */

const { mkdirSync, readFileSync, readdirSync } = require('node:fs');
const { join } = require('node:path');
const { ROOT, addon, packages, redisServer, tools } = require('./support/prepare');
const { SERVERS, fetch, version } = require('./support/servers');
const suites = require('./support/suites');
const tally = require('./support/tally');
const { Unmet, clock, main, say, step, table } = require('./support/terminal');

const LOGS = join(ROOT, 'target', 'test-results');
const SYSTEM = 'system';

/** Files whose tests start no server. */
const WITHOUT_SERVER = /\/(doc|package|scripts)\.test\.js$/;

/** The integration tests of cargo that start a server: those that use the support module for it. */
function serverSuites(without) {
  const suites = readdirSync(join(ROOT, 'tests')).filter((name) => name.endsWith('.rs')
    && /redis_server/.test(readFileSync(join(ROOT, 'tests', name), 'utf8'))).map((name) => name.slice(0, -3));
  const selected = suites.filter((name) => !without.includes(name)).flatMap((name) => ['--test', name]);
  return [...selected, '--', ...without.flatMap((name) => ['--skip', name])];
}

const words = ({ counts, notes }) => `${counts.passed} passed, ${counts.failed} failed${counts.skipped ? `, ${counts.skipped} skipped` : ''}`
  + (notes.length ? ` (${notes.join(', ')})` : '');

main(async () => {
  const names = [SYSTEM, ...SERVERS.map(({ name }) => name)];
  const chosen = process.argv.length > 2 ? process.argv.slice(2) : names;
  const unknown = chosen.find((name) => !names.includes(name));
  if (unknown) throw new Unmet(`There is no server ${unknown}. Known: ${names.join(', ')}.`);

  await tools();
  await packages();
  const programs = [];
  for (const name of chosen) {
    const server = SERVERS.find((one) => one.name === name);
    programs.push([name, server ? await fetch(server) : await redisServer(), server ? server.without : []]);
  }
  await addon();
  mkdirSync(LOGS, { recursive: true });

  const files = suites.testFiles().filter((file) => !WITHOUT_SERVER.test(file));
  const rows = [['server', 'version', 'JavaScript', 'Rust', 'time', 'result']];
  let sum = tally.none();
  for (const [name, program, without] of programs) {
    step(`${name}: ${program}`);
    if (without.length > 0) say(`left out, as its server would not start: ${without.join(', ')}`);
    const env = { DWORKER_TEST_SERVER: program };
    const log = (suite) => join(LOGS, `${name}.${suite}.log`);
    const began = Date.now();
    const javascript = await suites.javascript(files.filter((file) => !without.some((one) => file.endsWith(`/${one}`))), { env, log: log('javascript') });
    say(`JavaScript: ${words(javascript)}; ${log('javascript')}`);
    const rust = await suites.cargo(serverSuites(without), { env, log: log('rust') });
    say(`Rust: ${words(rust)}; ${log('rust')}`);
    const both = tally.add(javascript.counts, rust.counts);
    sum = tally.add(sum, both);
    rows.push([name, version(program), words(javascript), words(rust), clock(Date.now() - began), both.failed ? 'FAILED' : 'ok']);
  }

  step('Servers');
  console.log(`${table(rows)}\n\n${tally.closing(sum)}`);
  return sum.failed === 0 ? 0 : 1;
});
