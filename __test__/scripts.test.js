'use strict';

const assert = require('node:assert');
const { execFileSync, spawn } = require('node:child_process');
const { once } = require('node:events');
const { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { describe, test } = require('node:test');
const { ROOT } = require('../scripts/support/prepare');
const { run } = require('../scripts/support/run');
const tally = require('../scripts/support/tally');
const { until } = require('../support/wait');

/** The output is kept, and not shown. */
const QUIET = { log: '/dev/null' };

const node = (program) => run(process.execPath, ['-e', program], QUIET);

describe('counting tests', () => {
  test('counts the rows of the chaos harness', () => {
    const rows = ['pass', 'FAIL', 'SKIP', 'pass'].map((verdict) => ({ verdict }));
    assert.deepStrictEqual(tally.chaos(rows), { passed: 2, failed: 1, skipped: 1 });
  });

  test("cargo's results are summed over its binaries, colours or not", () => {
    const output = 'running 3 tests\ntest result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s\n'
      + 'test result: \u001b[31mFAILED\u001b[0m. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out\n';
    assert.deepStrictEqual(tally.cargo(output), { passed: 4, failed: 2, skipped: 1 });
  });

  test("a test that prints a line like cargo's in the middle of another is not counted", () => {
    assert.deepStrictEqual(tally.cargo('note: test result: ok. 3 passed; 0 failed; 1 ignored;'), tally.none());
  });

  test("node's closing lines are read, the last of each", () => {
    const tap = '# pass 7\n# tests 9\n# suites 1\n# pass 5\n# fail 1\n# cancelled 1\n# skipped 2\n# todo 1\n# duration_ms 12\n';
    assert.deepStrictEqual(tally.node(tap), { passed: 5, failed: 2, skipped: 3 });
  });

  test("node's own runner writes these lines", async () => {
    const folder = mkdtempSync(join(tmpdir(), 'dworker-tally-'));
    try {
      const file = join(folder, 'some.test.js');
      writeFileSync(file, "const { test } = require('node:test'); test('a', () => {}); test('b', { skip: true }, () => {}); test('c', () => { throw 1; });");
      const { output, code } = await run(process.execPath, ['--test', '--test-reporter=tap', file], { ...QUIET, env: { NODE_TEST_CONTEXT: undefined } });
      assert.strictEqual(code, 1);
      assert.deepStrictEqual(tally.node(output), { passed: 1, failed: 1, skipped: 1 });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('running programs', () => {
  test('the exit code is returned, and a signal as shells return it', async () => {
    assert.strictEqual((await node('process.exit(3)')).code, 3);
    assert.strictEqual((await node("process.kill(process.pid, 'SIGKILL')")).code, 137);
  });

  test('a process that is left behind is ended and reported', async () => {
    const { code, leaked, output } = await node("const child = require('node:child_process').spawn('sleep', ['60'], { stdio: 'ignore' }); child.unref(); console.log(child.pid)");
    assert.deepStrictEqual([code, leaked], [0, true]);
    assert.throws(() => process.kill(Number(output), 0), { code: 'ESRCH' });
  });

  test('a program that takes too long is ended', async () => {
    const { timedOut, leaked } = await run('sleep', ['60'], { timeout: 100 });
    assert.deepStrictEqual([timedOut, leaked], [true, false]);
  });

  test('when the npm that runs a script is ended, so is all that the script runs', async (t) => {
    const script = `require('${ROOT}/scripts/support/run').run(process.execPath, ['-e', 'console.log(process.pid); setInterval(() => {}, 1000)'])`;
    // As npm does it: a shell between the two, which ends without passing the signal on.
    const shell = spawn('sh', ['-c', '"$0" -e "$1"; true', process.execPath, script], { env: { ...process.env, npm_lifecycle_event: 'demo' } });
    const pid = Number((await once(shell.stdout, 'data'))[0]);
    const signal = (name) => {
      try {
        return process.kill(pid, name);
      } catch {
        return false;
      }
    };
    t.after(() => signal('SIGKILL'));
    shell.kill('SIGTERM');
    await until('the program has been ended', () => !signal(0));
  });

  test('a program that is not there rejects', async () => {
    await assert.rejects(run('no-such-program-of-dworker', []), { code: 'ENOENT' });
  });
});

describe('preparing', () => {
  /** What a person sees who has no server program that can be used. */
  const askForServer = (env) => run(process.execPath, ['-e', `
    console.error = console.log;
    const { redisServer } = require('${ROOT}/scripts/support/prepare');
    require('${ROOT}/scripts/support/terminal').main(async () => { await redisServer(); });`], { ...QUIET, env });

  test('where no server program can be had, a message says what to install, and the exit code tells', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'dworker-path-'));
    try {
      symlinkSync(process.execPath, join(folder, 'node'));
      const { code, output } = await askForServer({ PATH: folder, DWORKER_TEST_SERVER: '' });
      assert.strictEqual(code, 1);
      assert.match(output, /redis-server is missing.*apt-get install redis-server/s);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('a given server program that does not run is named', async () => {
    const { code, output } = await askForServer({ DWORKER_TEST_SERVER: '/nowhere/redis-server' });
    assert.strictEqual(code, 1);
    assert.match(output, /\/nowhere\/redis-server/);
  });
});

test('the lock holds every optional package that it names, so that `npm ci` takes it on each platform', () => {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'));
  const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) => Object.keys(optionalDependencies)
    .filter((name) => !packages[`node_modules/${name}`] && !packages[`${path}/node_modules/${name}`]));
  assert.deepStrictEqual(missing, []);
});

test('nothing that git tracks is generated', { skip: !existsSync(join(ROOT, '.git')) && 'no git checkout' }, () => {
  const tracked = execFileSync('git', ['ls-files'], { cwd: ROOT, encoding: 'utf8' }).split('\n');
  assert.deepStrictEqual(tracked.filter((file) => /\.node$|^binding\.|^doc\/|^target\/|node_modules\//.test(file)), []);
});
