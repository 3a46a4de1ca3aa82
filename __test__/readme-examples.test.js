'use strict';

/**
 * The programs of README.md and docs/, run as a reader would run them. Each stands below a line `<!-- example: NAME -->`;
 * what it prints stands below `<!-- prints: NAME -->`. What is no whole program stands below `<!-- fragment -->`; it must parse.
 */

const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { test } = require('node:test');
const vm = require('node:vm');
const { startRedis } = require('../support/redis-server');

const ROOT = join(__dirname, '..');
const DOCS = readdirSync(join(ROOT, 'docs'), { recursive: true }).filter((name) => name.endsWith('.md')).map((name) => join('docs', name));
/** What examples require besides dworker: its name there, its name among our packages. */
const PACKAGES = { bluebird: 'bluebird', redis: 'redis-5', '@electric-sql/pglite': '@electric-sql/pglite' };

for (const file of ['README.md', ...DOCS]) {
  const text = readFileSync(join(ROOT, file), 'utf8');
  const examples = [...text.matchAll(/<!-- example: ([\w-]+) -->\n```js\n([\s\S]*?)```/g)];
  const prints = new Map([...text.matchAll(/<!-- prints: ([\w-]+) -->\n```text\n([\s\S]*?)```/g)].map(([, name, lines]) => [name, lines]));

  const fragments = [...text.matchAll(/<!-- fragment -->\n```js\n([\s\S]*?)```/g)].map(([, code]) => code);

  test(`every JavaScript block of ${file} is an example that is run, or a fragment that parses`, () => {
    assert.ok(file !== 'README.md' || examples.length > 0);
    assert.equal([...text.matchAll(/^```js\n/gm)].length, examples.length + fragments.length);
    for (const code of fragments) new vm.Script(`async () => {${code}}`);
  });

  for (const [, name, code] of examples) {
    test(`the example "${name}" of ${file} prints what the text says`, async (t) => {
      const folder = mkdtempSync(join(tmpdir(), 'dworker-example-'));
      t.after(() => rmSync(folder, { recursive: true, force: true }));
      install(folder);
      writeFileSync(join(folder, 'example.js'), code);
      const env = { ...process.env };
      if (code.includes('REDIS_URL')) {
        const redis = await startRedis();
        t.after(() => redis.stop());
        env.REDIS_URL = redis.url;
      }
      const { error, stdout, stderr } = await run(folder, env);
      assert.equal(stderr, '');
      assert.equal(stdout, prints.get(name));
      assert.equal(error, null);
    });
  }
}

function install(folder) {
  mkdirSync(join(folder, 'node_modules', '@electric-sql'), { recursive: true });
  symlinkSync(ROOT, join(folder, 'node_modules', 'dworker'));
  for (const [name, ours] of Object.entries(PACKAGES)) {
    // An export map may hide package.json, so the folder is found by the path.
    const root = require.resolve.paths(ours).map((path) => join(path, ours)).find((path) => readable(join(path, 'package.json')));
    symlinkSync(root, join(folder, 'node_modules', name));
  }
}

function readable(path) {
  try {
    return readFileSync(path).length > 0;
  } catch {
    return false;
  }
}

function run(cwd, env) {
  return new Promise((resolve) => {
    execFile(process.execPath, ['example.js'], { cwd, env, timeout: 60_000 }, (error, stdout, stderr) => resolve({ error, stdout, stderr }));
  });
}
