'use strict';

const assert = require('node:assert/strict');
const { mkdtempSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { test } = require('node:test');
const { atEnd } = require('./helpers/cleanup');
const { Child } = require('../support/child');

function program(t, code) {
  const folder = mkdtempSync(join(tmpdir(), 'dworker-test-'));
  atEnd(t, () => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'program.js');
  writeFileSync(file, code);
  return file;
}

test('a child process that cannot load a module fails ready() and calls with its stderr', async (t) => {
  const child = new Child(program(t, "require('no-such-module')"), [], { name: 'The child' });
  const call = child.call('anything');
  await assert.rejects(child.ready(), /^Error: The child ended \(exit code 1\)\. The end of its stderr:\n[^]*Cannot find module 'no-such-module'/);
  await assert.rejects(call, /Cannot find module 'no-such-module'/);
});

test('a child process that ends while a call is open rejects the call', async (t) => {
  const child = new Child(program(t, "process.on('message', () => process.exit(3)); process.send('ready')"), [], { name: 'The child' });
  assert.equal(await child.ready(), 'ready');
  await assert.rejects(child.call('anything'), { message: 'The child ended (exit code 3)' });
  await assert.rejects(child.message(), { message: 'The child ended (exit code 3)' });
});

test('release() resolves when the child process that it disconnected from has ended, and its stderr is read', async (t) => {
  const child = new Child(program(t, "process.on('disconnect', () => { console.error('the end'); process.exit(4); }); process.send('ready')"));
  await child.ready();
  assert.equal(await child.release(), 4);
  assert.match(child.stderr, /the end/);
});
