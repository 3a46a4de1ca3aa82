'use strict';

/** `npm test`: everything that is checked, from a fresh clone, closing with a count of the tests. */

const { addon, packages, redisServer, tools } = require('./support/prepare');
const suites = require('./support/suites');
const tally = require('./support/tally');
const { clock, main, say, step, table } = require('./support/terminal');

main(async () => {
  const began = Date.now();
  await tools();
  const server = await redisServer();
  await Promise.all([packages().then(addon), suites.compile()]);
  const env = { DWORKER_TEST_SERVER: server };

  const plan = [
    ['Rust: unit, property, contract', () => suites.cargo([], { env })],
    ['Rust: models', () => suites.cargo(suites.MODELS, {})],
    ['Rust: format', suites.cargoHas('fmt') && (() => suites.check('cargo', ['fmt', '--check']))],
    ['Rust: clippy', suites.cargoHas('clippy') && (() => suites.check('cargo', suites.CLIPPY))],
    ['JavaScript: lint', () => suites.check('npm', ['run', '--silent', 'lint'])],
    ['JavaScript: types', () => suites.check('npm', ['run', '--silent', 'test:types'])],
    ['JavaScript: tests', () => suites.javascript(suites.testFiles(), { env })],
    ['Faults: the short selection', () => suites.chaos({ env })],
    ["JavaScript: sockets: 'task'", () => suites.javascript(suites.messageFiles(), { env: { ...env, DWORKER_SOCKETS: 'task' } })],
  ];

  const rows = [['suite', 'passed', 'failed', 'skipped', 'time', '']];
  let sum = tally.none();
  for (const [name, work] of plan) {
    step(name);
    if (!work) say('not installed here, left out');
    const { counts, notes, milliseconds } = work ? await work()
      : { counts: { ...tally.none(), skipped: 1 }, notes: ['not installed here'], milliseconds: 0 };
    sum = tally.add(sum, counts);
    rows.push([name, `${counts.passed}`, `${counts.failed}`, `${counts.skipped}`, clock(milliseconds), notes.join(', ')]);
  }

  step(`Done in ${clock(Date.now() - began)}`);
  console.log(`${table(rows)}\n\n${tally.closing(sum)}`);
  return sum.failed === 0 ? 0 : 1;
});
