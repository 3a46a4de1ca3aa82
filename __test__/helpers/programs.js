'use strict';

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const ROOT = path.join(__dirname, '..', '..');
/** A program that goes on longer than this hangs. */
const LIMIT_MS = 20000;

/**
 * Runs a program of `__test__/fixtures` in a process of its own until it ends by itself, from a folder where `dworker`
 * and `bluebird` are installed.
 *
 * @param {string} fixture
 * @param {object} [env]
 * @param {number} [limitMs]
 * @param {string[]} [runtime] the program that runs it, and its arguments
 * @returns {Promise<{stdout: string, stderr: string, code: number}>} `code` is null where it had to be killed
 */
async function runToEnd(fixture, env = {}, limitMs = LIMIT_MS, runtime = [process.execPath]) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dworker-test-'));
  try {
    const modules = path.join(folder, 'node_modules');
    fs.mkdirSync(modules);
    fs.symlinkSync(ROOT, path.join(modules, 'dworker'));
    fs.symlinkSync(path.dirname(require.resolve('bluebird/package.json')), path.join(modules, 'bluebird'));
    fs.copyFileSync(path.join(ROOT, '__test__', 'fixtures', fixture), path.join(folder, fixture));
    return await run(folder, fixture, env, limitMs, runtime);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

async function run(cwd, program, env, limitMs, [command, ...args]) {
  const child = spawn(command, [...args, program], { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text) => (output.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (output.stderr += text));
  const limit = setTimeout(() => child.kill('SIGKILL'), limitMs);
  const [code] = await once(child, 'close');
  clearTimeout(limit);
  return { ...output, code };
}

module.exports = { runToEnd };
