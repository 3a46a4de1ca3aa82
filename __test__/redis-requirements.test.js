'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

const ROOT = path.join(__dirname, '..');
const SCRIPTS = path.join(ROOT, 'src', 'coordination', 'lua');

test('the page about Redis lists the commands that the scripts use, and no other', () => {
  const text = fs.readdirSync(SCRIPTS).map((name) => fs.readFileSync(path.join(SCRIPTS, name), 'utf8')).join('\n');
  const used = new Set([...text.matchAll(/redis\.p?call\('([A-Z]+)'/g)].map(([, command]) => command));
  const page = fs.readFileSync(path.join(ROOT, 'docs', 'reference', 'redis.md'), 'utf8');
  const [row] = page.match(/^\| inside scripts: .*$/m);
  const listed = [...row.matchAll(/`([A-Z]+)`/g)].map(([, command]) => command);
  assert.deepEqual(listed, [...used].sort());
});
