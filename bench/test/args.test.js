/** The command line is understood or refused in one line. */
'use strict';

const { test } = require('node:test');
const assert = require('node:assert');
const path = require('node:path');
const { readArgs } = require('../lib/args');
const { format } = require('../lib/table');

const MEASURES = [{ name: 'asks' }, { name: 'soak', optional: true }];

test('by default everything runs that is not optional, and a seed is drawn', () => {
  const args = readArgs([], MEASURES);
  assert.deepStrictEqual(args.only, ['asks']);
  assert.ok(args.seed > 0);
});

test('a variant carries the options of its broker', () => {
  const { variants } = readArgs(['--variant', 'native={"promise":"native"}'], MEASURES);
  assert.deepStrictEqual(variants, [{ name: 'native', options: { promise: 'native' } }]);
});

test('another build of dworker is named by its folder', () => {
  const { builds } = readArgs(['--build', 'before=../old'], MEASURES);
  assert.deepStrictEqual(builds, [{ name: 'before', folder: path.resolve('../old') }]);
});

test('a wrong value is named together with its option', () => {
  const wrong = [['--only', 'x'], ['--rounds', '0'], ['--workers', '1000,many'], ['--variant', 'a={'], ['--systems', ''], ['--payloads', 'blob'], ['--build', 'before']];
  for (const argv of wrong) assert.throws(() => readArgs(argv, MEASURES), new RegExp(`^Error: Expected .* for ${argv[0]} but received `));
});

test('figures are readable', () => {
  assert.strictEqual(format(1234567.8), '1 234 568');
  assert.strictEqual(format(12.345), '12.3');
  assert.strictEqual(format(1234.5678, 2), '1 234.57');
  assert.strictEqual(format(0), '0');
  assert.strictEqual(format(NaN), '–');
});
