'use strict';

const assert = require('node:assert/strict');
const { describe, mock, test } = require('node:test');
const dworker = require('..');
const scenario = require('./fixtures/fake-timers');

/** The globals that test runners replace, as functions that never call back and clocks that stand still. */
const inert = {
  setTimeout: () => ({}),
  setInterval: () => ({}),
  setImmediate: () => ({}),
  clearTimeout: () => {},
  clearInterval: () => {},
  clearImmediate: () => {},
  queueMicrotask: () => {},
  performance: { now: () => 0 },
  Date: Object.assign(function () {}, { now: () => 0 }),
};

/** Runs `work` while the globals are replaced. */
async function withInertGlobals(work) {
  const originals = Object.fromEntries(Object.keys(inert).map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)]));
  for (const [name, value] of Object.entries(inert)) {
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
  try {
    return await work();
  } finally {
    Object.defineProperties(globalThis, originals);
  }
}

describe('With fake timers installed after it was loaded, the package works', () => {
  for (const promise of ['bluebird', 'native']) {
    test(`where all timers and clocks are stopped (${promise})`, async () => {
      assert.deepEqual(await withInertGlobals(() => scenario(dworker, promise)), scenario.expected);
    });

    test(`with the mock timers of node:test (${promise})`, async () => {
      mock.timers.enable();
      try {
        assert.deepEqual(await scenario(dworker, promise), scenario.expected);
      } finally {
        mock.timers.reset();
      }
    });
  }
});
