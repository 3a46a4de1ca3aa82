'use strict';

const assert = require('node:assert/strict');
const { readFileSync, readdirSync } = require('node:fs');
const { join } = require('node:path');
const { describe, test } = require('node:test');
const { Worker } = require('..');
const native = require('../binding.js');
const protocol = require('../lib/protocol');

const ROOT = join(__dirname, '..');
/** The files that hold the tables. */
const TABLES = ['lib/protocol.js', 'src/base/limits.rs'];
/** Limits whose value is rare enough to be found as a number in the code. */
const WRITTEN = { INBOX_MESSAGES: /\b32_?768\b/, INBOX_BYTES: /\b64 \* 1024 \* 1024\b|\b67_?108_?864\b/ };
/** Numbers of the same value with another meaning. */
const OTHERS = ['lib/options/table.js: LARGEST_MESSAGE_LIMIT'];

const core = JSON.parse(native.protocol());

function sources(folder, extension) {
  const names = readdirSync(join(ROOT, folder), { recursive: true }).filter((name) => name.endsWith(extension));
  return names.map((name) => join(folder, name)).filter((name) => !TABLES.includes(name));
}

/** Lines of code: no comments, no tests of the same file. */
function codeOf(file) {
  const [code] = readFileSync(join(ROOT, file), 'utf8').split('#[cfg(test)]');
  return code.split('\n').filter((line) => !/^\s*(\/\/|\*|\/\*)/.test(line));
}

describe('the table of what passes between JavaScript and the core', () => {
  for (const name of Object.keys(protocol)) {
    test(`has the same ${name} on both sides`, () => {
      assert.ok(name in core, `the core exports no ${name}`);
      assert.deepEqual(JSON.parse(JSON.stringify(protocol[name])), core[name]);
    });
  }

  test('has the causes that Worker gives to applications', () => {
    assert.deepEqual({ ...Worker.CreateCause }, core.CreateCause);
    const { SELF, ...fromCore } = Worker.DestroyCause;
    assert.deepEqual(fromCore, core.DestroyCause);
    assert.ok(!Object.values(core.DestroyCause).includes(SELF));
  });

  test('gives no number to two kinds of events, and leaves room for the mark of a payload that is sent apart', () => {
    const kinds = Object.values(core.EVENT);
    assert.equal(new Set(kinds).size, kinds.length);
    assert.ok(kinds.every((kind) => kind < core.APART));
    assert.ok(Object.values(core.FORM).every((form) => form < core.FORMS && form < core.RECIPE_FACTOR));
  });

  test('is the only place where its limits are written as numbers', () => {
    const found = [];
    for (const file of [...sources('lib', '.js'), ...sources('src', '.rs')]) {
      for (const line of codeOf(file)) {
        for (const [limit, number] of Object.entries(WRITTEN)) {
          const isOther = OTHERS.some((other) => line.includes(other.split(': ')[1]) && other.startsWith(file));
          if (number.test(line) && !isOther) found.push(`${file}: ${line.trim()} (${limit})`);
        }
      }
    }
    assert.deepEqual(found, []);
  });

  test('is the only place where kinds of events are numbers', () => {
    const digits = /b"\[\d|\b(?:kind|event\[0\]) === \d/;
    const found = [...sources('lib', '.js'), ...sources('src/broker/js', '.rs')].flatMap((file) => codeOf(file).filter((line) => digits.test(line)).map((line) => `${file}: ${line.trim()}`));
    assert.deepEqual(found, []);
  });
});
