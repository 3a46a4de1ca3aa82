'use strict';

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const { mkdtempSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { describe, test } = require('node:test');
const { explainLoadFailure } = require('../lib/base/load-failure');

const ROOT = join(__dirname, '..');
const ADDON = join(ROOT, 'dworker.linux-x64-gnu.node');
const SYSTEM = { platform: 'linux', arch: 'x64', node: 'v20.20.2', glibc: '2.17', packageName: '@dworker/binding-linux-x64-gnu' };
const FOUND = /^The native addon of dworker is installed but cannot be loaded: /;

/** The error of `binding.js`: the failures of all names that it tried, the last one outermost. */
function bindingError(...messages) {
  const cause = messages.reduce((previous, message) => Object.assign(new Error(message), { cause: previous }), null);
  return new Error('Cannot find native binding. npm has a bug', { cause });
}

const ABSENT = ["Cannot find module './dworker.linux-x64-gnu.node'", "Cannot find module '@dworker/binding-wasm32-wasi'"];

test('an addon that is not installed: the message says which package to install, or how to build it', () => {
  const message = explainLoadFailure(bindingError(...ABSENT), SYSTEM);
  assert.match(message, /^The native addon of dworker is not installed \(linux-x64, Node v20\.20\.2\)/);
  assert.match(message, /npm install @dworker\/binding-linux-x64-gnu/);
  assert.match(message, /npm run build/);
});

/** What loaders say, and what is to be done. */
const REASONS = [
  ["/lib64/libc.so.6: version `GLIBC_2.28' not found (required by /app/dworker.node)", /glibc 2\.17\) is older.*need glibc 2\.28 or newer/],
  ['Cannot load native addon because loading addons is disabled.', /--allow-addons/],
  ['Access to this API has been restricted. Use --allow-fs-read to manage permissions.', /--allow-fs-read/],
  ['/mnt/dworker.node: failed to map segment from shared object', /noexec/],
  ['/app/dworker.node: cannot open shared object file: No such file or directory', /no addon for linux-x64.*npm ci/],
  ['/app/dworker.node: wrong ELF class: ELFCLASS32', /no addon for linux-x64/],
  ['/app/dworker.node: invalid ELF header', /no addon for linux-x64/],
  ["dlopen(/app/dworker.node, 0x0001): tried: (mach-o file, but is an incompatible architecture (have 'x86_64', need 'arm64e'))", /no addon for/],
  ['\\\\?\\C:\\app\\dworker.node is not a valid Win32 application.', /no addon for/],
  ['Error loading shared library ld-linux-x86-64.so.2: No such file or directory (needed by /app/dworker.node)', /another C library/],
  ['Error loading shared library libgcc_s.so.1: No such file or directory (needed by /app/dworker.node)', /apk add libgcc/],
  ['Native binding package version mismatch, expected 1.0.0 but got 0.9.0.', /different versions/],
  ['something that nobody has seen before', /npm ci/],
];

for (const [reason, advice] of REASONS) {
  test(`the loader's own reason comes first, then what to do: ${reason.slice(0, 60)}`, () => {
    const [first, second] = explainLoadFailure(bindingError(ABSENT[0], reason, ABSENT[1]), SYSTEM).split('\n');
    assert.match(first, FOUND);
    assert.ok(first.endsWith(reason), first);
    assert.match(second, advice);
  });
}

/** What the program prints that cannot load the addon. */
function loading(args, env) {
  const { stdout } = spawnSync(process.execPath, [...args, '-e', "try { require('.') } catch (error) { console.log(error.message) }"], {
    cwd: ROOT, encoding: 'utf8', timeout: 30000, env: { ...process.env, ...env },
  });
  return stdout;
}

describe('with the real loader', () => {
  test('Node.js that may load no addons', () => {
    const message = loading(['--no-addons']);
    assert.match(message, FOUND);
    assert.match(message, /--allow-addons/);
  });

  test('files that are no addon for this system', { skip: (process.platform !== 'linux' || process.arch !== 'x64') && 'patches an addon for Linux x64' }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'dworker-addon-'));
    const loadingFile = (bytes) => {
      const file = join(folder, `${bytes.length}-${Math.random()}.node`);
      writeFileSync(file, bytes);
      return loading([], { NAPI_RS_NATIVE_LIBRARY_PATH: file });
    };
    try {
      assert.match(loadingFile(Buffer.from('no program')), /^The native addon.*file too short\n.*no addon for linux-x64/);
      const addon = readFileSync(ADDON);
      const arm = Buffer.from(addon);
      arm[18] = 0xb7;
      assert.match(loadingFile(arm), /^The native addon.*cannot open shared object file.*\n.*no addon for linux-x64/);
      const newer = Buffer.from(addon.toString('latin1').replace(/GLIBC_2\.\d\d\0/g, (name) => name.replace('_2', '_9')), 'latin1');
      assert.match(loadingFile(newer), /^The native addon.*GLIBC_9\.\d\d' not found.*\n.*need glibc 2\.28 or newer/);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
