'use strict';

/**
 * `npm run chaos:mutants`: checks the checker. Each patch of `mutants/` takes one protection away from a copy of the
 * sources; that is built, and the nemesis runs on it until a violation is reported.
 *
 * `-- NAME…` runs some of them, `--for 10m`, `--seed 1` and `--without` go to the nemesis.
 */

const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { OF_THE_MACHINE } = require('./nemesis');

const ROOT = path.join(__dirname, '..', '..');
const PATCHES = path.join(__dirname, 'mutants');
/** Shared with the checkout: the dependencies are compiled already. */
const TARGET = path.join(ROOT, 'target');

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { for: { type: 'string', default: '10m' }, seed: { type: 'string', default: '1' }, without: { type: 'string', default: '' } },
});

/** A copy of what git knows, as it stands in the working tree. */
function copy(folder) {
  const files = execFileSync('git', ['ls-files', '-z'], { cwd: ROOT }).toString().split('\0').filter(Boolean);
  for (const file of files) {
    const from = path.join(ROOT, file);
    if (!fs.existsSync(from)) continue;
    fs.mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
    fs.copyFileSync(from, path.join(folder, file));
  }
  fs.symlinkSync(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'));
}

function run(folder, command, args) {
  console.log(`$ ${command} ${args.join(' ')}`);
  const { status } = spawnSync(command, args, { cwd: folder, stdio: 'inherit', env: { ...process.env, CARGO_TARGET_DIR: TARGET } });
  return status;
}

/** @returns {string} what became of it */
function mutant(name) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), `dworker-mutant-${name}-`));
  try {
    copy(folder);
    console.log(`\n== ${name}: ${fs.readFileSync(path.join(PATCHES, `${name}.patch`), 'utf8').split('\n', 1)[0]}`);
    if (run(folder, 'git', ['apply', path.join(PATCHES, `${name}.patch`)]) !== 0) return 'the patch does not apply';
    if (run(folder, 'npm', ['run', '--silent', 'build:debug']) !== 0) return 'does not build';
    const results = path.join(folder, 'results.json');
    const args = ['--nemesis', values.for, '--seed', values.seed, '--without', values.without, '--until-violation', '--results', results];
    run(folder, process.execPath, ['__test__/chaos/run.js', ...args]);
    const found = JSON.parse(fs.readFileSync(results)).flatMap(({ violations }) => violations).filter((text) => !OF_THE_MACHINE.test(text));
    return found.length > 0 ? `reported: ${found.length} violations, as ${found[0]}` : 'NOT REPORTED';
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

const names = positionals.length > 0 ? positionals
  : fs.readdirSync(PATCHES).filter((name) => name.endsWith('.patch')).sort().map((name) => path.basename(name, '.patch'));
const outcomes = names.map((name) => [name, mutant(name)]);
console.log(`\n${outcomes.map(([name, outcome]) => `${name.padEnd(12)} ${outcome}`).join('\n')}`);
process.exitCode = outcomes.every(([, outcome]) => outcome.startsWith('reported')) ? 0 : 1;
