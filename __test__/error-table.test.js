'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { CODES, failure } = require('../lib/base/errors');

const read = (file) => fs.readFileSync(path.join(__dirname, '..', file), 'utf8');

test('the table of the core says the same as the one of the JavaScript side', () => {
  const rows = [...read('src/base/error.rs').matchAll(/^\s+\w+ = \d+, "(DW_ERR_\w+)", (\w+);$/gm)];
  assert.deepEqual(Object.fromEntries(rows.map(([, code, delivered]) => [code, delivered.toLowerCase()])), { ...CODES });
});

test('the types name every code and no other', () => {
  const named = [...read('index.d.ts').matchAll(/^\s+\| '(DW_ERR_\w+)'/gm)].map(([, code]) => code);
  assert.deepEqual(named.sort(), Object.keys(CODES).sort());
});

test('the reference of errors lists every code and no other, with its usual delivery first', () => {
  const rows = [...read('docs/reference/errors.md').matchAll(/^\| `(DW_ERR_\w+)` \| (\w+)/gm)];
  assert.deepEqual(Object.fromEntries(rows.map(([, code, delivered]) => [code, delivered])), { ...CODES });
});

test('an error of the package is an Error with its code and what the table says of its delivery', () => {
  const error = failure('DW_ERR_TIMEOUT', 'too late');
  assert.equal(error.name, 'Error');
  assert.equal(error.message, 'too late');
  assert.equal(error.code, 'DW_ERR_TIMEOUT');
  assert.equal(error.delivered, 'unknown');
  assert.equal(failure('DW_ERR_TIMEOUT', 'never sent', 'no').delivered, 'no');
});
