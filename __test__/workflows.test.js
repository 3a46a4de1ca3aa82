'use strict';

const assert = require('node:assert/strict');
const { readFileSync, readdirSync } = require('node:fs');
const { join } = require('node:path');
const { test } = require('node:test');

const ROOT = join(__dirname, '..');
const FOLDER = join(ROOT, '.github', 'workflows');
const read = (file) => readFileSync(join(ROOT, file), 'utf8');
const manifest = JSON.parse(read('package.json'));

for (const file of readdirSync(FOLDER)) {
  const text = readFileSync(join(FOLDER, file), 'utf8');

  test(`what ${file} runs by npm is there`, () => {
    const named = [...text.matchAll(/npm run ([\w:-]+)/g)].map(([, script]) => script);
    assert.deepEqual(named.filter((script) => !(script in manifest.scripts)), []);
  });

  test(`the files that ${file} names are there`, () => {
    const named = [...text.matchAll(/(?<=\s)(?:__test__|examples|scripts)\/[\w./-]+\.c?js/g)].map(([path]) => path);
    for (const path of named) assert.ok(read(path).length > 0, path);
  });
}

test('a release is built for every target of package.json and for no other', () => {
  const built = [...read('.github/workflows/release.yml').matchAll(/target: ([\w-]+), os/g)].map(([, target]) => target);
  assert.deepEqual(built.sort(), [...manifest.napi.targets].sort());
});

test('the oldest Node.js that package.json allows is among those that are tested', () => {
  const oldest = Number(/\d+/.exec(manifest.engines.node)[0]);
  const [, versions] = /node: \[([\d, ]+)\]/.exec(read('.github/workflows/ci.yml'));
  assert.ok(versions.split(',').map(Number).includes(oldest), versions);
});
