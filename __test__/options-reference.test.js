'use strict';

const assert = require('node:assert/strict');
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { test } = require('node:test');
const { FILES } = require('../scripts/options');

for (const [file, make] of Object.entries(FILES)) {
  test(`${file} is what "npm run options" makes of the tables`, () => {
    assert.equal(readFileSync(join(__dirname, '..', file), 'utf8'), make());
  });
}
