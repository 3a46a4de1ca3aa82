'use strict';

/**
 * The programs of README.md, run as a reader would run them. Each stands below a line `<!-- example: NAME -->`; what
 * it prints stands below `<!-- prints: NAME -->`.
 */

const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { dirname, join } = require('node:path');
const { test } = require('node:test');

const ROOT = join(__dirname, '..');
const text = readFileSync(join(ROOT, 'README.md'), 'utf8');
const examples = [...text.matchAll(/<!-- example: ([\w-]+) -->\n```js\n([\s\S]*?)```/g)];
const prints = new Map([...text.matchAll(/<!-- prints: ([\w-]+) -->\n```text\n([\s\S]*?)```/g)].map(([, name, lines]) => [name, lines]));

test('every JavaScript block of the README is an example that is run', () => {
  assert.ok(examples.length > 0);
  assert.equal([...text.matchAll(/^```js\n/gm)].length, examples.length);
});

for (const [, name, code] of examples) {
  test(`the README's example "${name}" prints what the README says`, (t, done) => {
    const folder = mkdtempSync(join(tmpdir(), 'dworker-readme-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    mkdirSync(join(folder, 'node_modules'));
    symlinkSync(ROOT, join(folder, 'node_modules', 'dworker'));
    symlinkSync(dirname(require.resolve('bluebird/package.json')), join(folder, 'node_modules', 'bluebird'));
    writeFileSync(join(folder, 'example.js'), code);
    execFile(process.execPath, ['example.js'], { cwd: folder, timeout: 20_000 }, (error, stdout, stderr) => {
      assert.equal(stderr, '');
      assert.equal(stdout, prints.get(name));
      done(error);
    });
  });
}
