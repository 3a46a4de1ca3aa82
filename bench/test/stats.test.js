/** The statistics say what their names say. */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const { percentile, median, summarize, pairedRatio } = require('../lib/stats');

test('a percentile is a value that was measured', () => {
  const sorted = Array.from({ length: 100 }, (_, i) => i + 1);
  assert.strictEqual(percentile(sorted, 0.5), 50);
  assert.strictEqual(percentile(sorted, 0.99), 99);
  assert.strictEqual(percentile([7], 0.99), 7);
  assert.ok(Number.isNaN(percentile([], 0.5)));
});

test('a median does not depend on order and leaves out what is missing', () => {
  assert.strictEqual(median([9, 1, 5]), 5);
  assert.strictEqual(median([4, 1, 3, 2]), 2.5);
  assert.strictEqual(median([undefined, NaN, 3]), 3);
  assert.ok(Number.isNaN(median([])));
});

test('a summary covers every key of any round', () => {
  assert.deepStrictEqual(summarize([{ a: 1 }, { a: 3, b: 5 }]), {
    a: { median: 2, min: 1, max: 3 },
    b: { median: 5, min: 5, max: 5 },
  });
});

test('a ratio is taken round by round, so that a machine that slows down does not show in it', () => {
  const ours = [{ x: 200 }, { x: 100 }, { x: 20 }];
  const theirs = [{ x: 100 }, { x: 50 }, { x: 10 }];
  assert.strictEqual(pairedRatio(ours, theirs, 'x'), 2);
  assert.ok(Number.isNaN(pairedRatio(ours, [], 'x')));
});
