'use strict';

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const { mkdtempSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { test } = require('node:test');
const { OLDEST_GLIBC } = require('../lib/base/load-failure');
const { compare, neededGlibc } = require('../scripts/glibc');
const { which } = require('../scripts/support/run');

const ROOT = join(__dirname, '..');
const ADDON = join(ROOT, 'dworker.linux-x64-gnu.node');
const elsewhere = (process.platform !== 'linux' || process.arch !== 'x64') && 'looks into an addon for Linux x64';

test('versions are compared by number', () => {
  assert.deepEqual(['2.9', '2.28', '2.2.5', '2.34', '2.2'].sort(compare), ['2.2', '2.2.5', '2.9', '2.28', '2.34']);
});

test('the glibc that an addon needs is the newest one that objdump finds', { skip: elsewhere || (!which('objdump') && 'objdump (binutils) is not installed') }, () => {
  const { stdout } = spawnSync('objdump', ['-T', ADDON], { encoding: 'utf8', maxBuffer: 1 << 26 });
  const versions = [...stdout.matchAll(/GLIBC_(\d+(?:\.\d+)+)/g)].map(([, version]) => version).sort(compare);
  assert.equal(neededGlibc(ADDON), versions.at(-1));
});

test('a release whose addon needs a newer glibc than the one that is promised is refused', { skip: elsewhere }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'dworker-glibc-'));
  const check = (version) => {
    const file = join(folder, `${version}.node`);
    writeFileSync(file, `ELF\0GLIBC_2.2.5\0GLIBC_${version}\0`);
    return spawnSync(process.execPath, [join(ROOT, 'scripts', 'glibc.js'), file], { encoding: 'utf8' });
  };
  try {
    assert.equal(check('2.17').status, 0);
    assert.equal(check(OLDEST_GLIBC).status, 0);
    const { status, stdout } = check('2.29');
    assert.equal(status, 1);
    assert.match(stdout, /2\.29\.node needs glibc 2\.29, 2\.28 is promised/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('the documents promise the same glibc as the code, and the release is linked against it', () => {
  const read = (file) => readFileSync(join(ROOT, file), 'utf8');
  assert.ok(read('docs/platforms.md').includes(`glibc ${OLDEST_GLIBC} or newer`));
  assert.ok(read('README.md').includes(`glibc ${OLDEST_GLIBC} or newer`));
  const targets = [...read('.github/workflows/release.yml').matchAll(/target: (\S+-linux-gnu),.* glibc: '(\S+)' }/g)];
  assert.deepEqual(targets.map(([, , glibc]) => glibc), [`.${OLDEST_GLIBC}`, `.${OLDEST_GLIBC}`]);
});
