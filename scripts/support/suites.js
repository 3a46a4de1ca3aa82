'use strict';

/** The suites of the project: how each is run and how its tests are counted. */

const { existsSync, mkdirSync, readFileSync, readdirSync, rmSync } = require('node:fs');
const { availableParallelism } = require('node:os');
const { join } = require('node:path');
const { ROOT } = require('./prepare');
const { ask, run } = require('./run');
const tally = require('./tally');

/** Where results go that are not for the eye. */
const RESULTS = join(ROOT, 'target', 'test-results');
/** A suite that takes longer hangs. */
const SUITE_TIMEOUT_MS = 15 * 60 * 1000;
/** One JavaScript test that takes longer hangs. */
const TEST_TIMEOUT_MS = 120 * 1000;
/** Most of their time the tests wait for something, so two go well on two cores, where Node alone would run one. */
const TEST_FILES_AT_ONCE = Math.max(2, availableParallelism() - 1);

/** Cargo's arguments for the models of what threads share, whose locks are those of a model checker. */
const MODELS = ['--features', 'models', '--test', 'models'];
const CLIPPY = ['clippy', '--locked', '--quiet', '--all-targets', '--all-features', '--', '-D', 'warnings'];

/**
 * The outcome of a run: the counted tests, plus one failure where the run failed without naming a test.
 * A suite that ran no test has failed too.
 */
function outcome(result, counted) {
  const notes = [];
  if (result.timedOut) notes.push(`ended after ${SUITE_TIMEOUT_MS / 60000} minutes`);
  if (result.leaked) notes.push('left processes running');
  if (counted.passed + counted.failed === 0) notes.push('ran no test');
  else if (result.code !== 0 && counted.failed === 0) notes.push(`exit code ${result.code}`);
  const counts = notes.length && counted.failed === 0 ? tally.add(counted, tally.check(false)) : counted;
  return { counts, notes, milliseconds: result.milliseconds };
}

/**
 * Cargo's tests.
 *
 * @param {string[]} selection arguments that select among them
 * @param {object} options as of `run`
 */
async function cargo(selection, options) {
  const result = await run('cargo', ['test', '--locked', '--no-fail-fast', ...selection], {
    cwd: ROOT, capture: true, timeout: SUITE_TIMEOUT_MS, ...options,
    env: { CARGO_TERM_COLOR: process.stdout.isTTY ? 'always' : 'never', ...options.env },
  });
  return outcome(result, tally.cargo(result.output));
}

/**
 * Compiles what the Rust suites and clippy need. It goes well beside the addon's build, whose last minutes keep one core
 * busy. What does not compile is shown by its suite, which compiles it again.
 */
async function compile() {
  mkdirSync(RESULTS, { recursive: true });
  const log = join(RESULTS, 'compile.log');
  const quietly = (...args) => run('cargo', args, { cwd: ROOT, log, timeout: SUITE_TIMEOUT_MS });
  await quietly('test', '--locked', '--no-run');
  await quietly('test', '--locked', '--no-run', ...MODELS);
  if (cargoHas('clippy')) await quietly(...CLIPPY);
}

/** The JavaScript test files, as the shell expands `__test__/*.test.js`. */
function testFiles() {
  return readdirSync(join(ROOT, '__test__')).filter((name) => name.endsWith('.test.js')).sort().map((name) => join('__test__', name));
}

/** Those in which messages travel: they hold whoever serves the sockets. */
function messageFiles() {
  const subjects = ['create-find', 'exit', 'failures', 'lifecycle', 'order', 'payloads', 'processes', 'worker-threads'];
  return subjects.map((subject) => join('__test__', `${subject}.test.js`));
}

/**
 * The JavaScript tests: one process a file.
 *
 * @param {string[]} files
 * @param {object} options as of `run`
 */
async function javascript(files, options) {
  mkdirSync(RESULTS, { recursive: true });
  const tap = join(RESULTS, 'javascript.tap');
  rmSync(tap, { force: true });
  const result = await run(process.execPath, [
    '--test', `--test-timeout=${TEST_TIMEOUT_MS}`, `--test-concurrency=${TEST_FILES_AT_ONCE}`,
    '--test-reporter=spec', '--test-reporter-destination=stdout',
    '--test-reporter=tap', `--test-reporter-destination=${tap}`, ...files,
  ], { cwd: ROOT, timeout: SUITE_TIMEOUT_MS, ...options });
  const counted = existsSync(tap) ? tally.node(readFileSync(tap, 'utf8')) : tally.none();
  return outcome(result, counted);
}

/**
 * Processes that are killed, stopped and cut off, checked by their histories: the short selection.
 *
 * @param {object} options as of `run`
 */
async function chaos(options) {
  mkdirSync(RESULTS, { recursive: true });
  const results = join(RESULTS, 'chaos.json');
  rmSync(results, { force: true });
  const result = await run(process.execPath, ['__test__/chaos/run.js', '--short', '--patience', '3', '--results', results],
    { cwd: ROOT, timeout: SUITE_TIMEOUT_MS, ...options });
  const counted = existsSync(results) ? tally.chaos(JSON.parse(readFileSync(results, 'utf8'))) : tally.none();
  return outcome(result, counted);
}

/** A check that passes or fails as a whole. */
async function check(command, args) {
  const result = await run(command, args, { cwd: ROOT, timeout: SUITE_TIMEOUT_MS });
  return outcome(result, tally.check(result.code === 0));
}

/** Whether a cargo subcommand is installed: clippy and rustfmt are components of their own. */
const cargoHas = (subcommand) => ask('cargo', [subcommand, '--version']) !== null;

module.exports = { CLIPPY, MODELS, cargo, cargoHas, chaos, check, compile, javascript, messageFiles, testFiles };
