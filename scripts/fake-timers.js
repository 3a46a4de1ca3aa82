'use strict';

/**
 * `node scripts/fake-timers.js`: runs the package under the fake timers of sinon, Jest and Vitest, as their packages are now.
 * They are installed into a temporary folder.
 */

const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const root = path.join(__dirname, '..');
const scenario = JSON.stringify(path.join(root, '__test__', 'fixtures', 'fake-timers.js'));
const dworker = JSON.stringify(root);

const run = (promise) => `await scenario(require(${dworker}), '${promise}')`;

const files = {
  // Loaded before the fake timers are installed.
  'sinon.test.cjs': `
    const { test } = require('node:test');
    const assert = require('node:assert/strict');
    const scenario = require(${scenario});
    require(${dworker});
    const fake = require('@sinonjs/fake-timers').install();
    test('sinon, bluebird', async () => assert.deepEqual(${run('bluebird')}, scenario.expected));
    test('sinon, native', async () => assert.deepEqual(${run('native')}, scenario.expected));
    test('the time of the application stands still', () => assert.equal(Date.now(), fake.now));
  `,
  // Jest gives each file globals of its own: fake timers may be there before the package is.
  'jest.test.js': `
    jest.useFakeTimers();
    const scenario = require(${scenario});
    test('Jest, bluebird', async () => expect(${run('bluebird')}).toEqual(scenario.expected));
    test('Jest, native', async () => expect(${run('native')}).toEqual(scenario.expected));
    test('the time of the application stands still', () => { const now = Date.now(); while (process.uptime() % 1 > 0.99); expect(Date.now()).toBe(now); });
  `,
  'vitest.test.mjs': `
    import { createRequire } from 'node:module';
    import { expect, test, vi } from 'vitest';
    const require = createRequire(import.meta.url);
    const scenario = require(${scenario});
    require(${dworker});
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'setInterval', 'clearInterval', 'Date', 'performance', 'queueMicrotask'] });
    test('Vitest, bluebird', async () => expect(${run('bluebird')}).toEqual(scenario.expected));
    test('Vitest, native', async () => expect(${run('native')}).toEqual(scenario.expected));
  `,
  'jest.config.js': "module.exports = { testMatch: ['**/jest.test.js'], watchman: false };",
  'package.json': '{"private": true}',
};

const commands = [
  ['sinon', process.execPath, ['--test', 'sinon.test.cjs']],
  ['Jest', process.execPath, ['node_modules/jest/bin/jest.js', '--ci', '--detectOpenHandles']],
  ['Jest, jsdom', process.execPath, ['node_modules/jest/bin/jest.js', '--ci', '--env=jsdom']],
  ['Vitest', process.execPath, ['node_modules/vitest/vitest.mjs', 'run', 'vitest.test.mjs']],
];

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dworker-fake-timers-'));
let failed = 0;
try {
  for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(folder, name), text);
  // Vitest 3 runs on Node.js 20, its later versions do not.
  const packages = ['@sinonjs/fake-timers', 'jest', 'jest-environment-jsdom', 'vitest@3'];
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--silent', ...packages], { cwd: folder, stdio: 'inherit' });
  for (const [name, program, args] of commands) {
    const { status, stdout, stderr } = spawnSync(program, args, { cwd: folder, encoding: 'utf8', timeout: 60_000 });
    console.log(`${status === 0 ? 'ok    ' : 'FAILED'} ${name}`);
    if (status === 0) continue;
    failed += 1;
    console.log(stdout, stderr);
  }
} finally {
  fs.rmSync(folder, { recursive: true, force: true });
}
process.exitCode = failed;
