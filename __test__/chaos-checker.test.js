'use strict';

const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const { readdirSync } = require('node:fs');
const { join } = require('node:path');
const { describe, it } = require('node:test');
const { check } = require('./chaos/checker');

/** A run in which nothing is wrong: `a` made `w1` and `n1`, is killed at 100, and `w1` comes back on `b`. */
function sound() {
  return [
    { t: 1, p: 'a', k: 'process', broker: 'a', pid: 1 },
    { t: 1, p: 'b', k: 'process', broker: 'b', pid: 2 },
    { t: 2, p: 'a', k: 'activate', id: 'w1', epoch: '9', cause: 0, recoverable: true },
    { t: 3, p: 'a', k: 'activate', id: 'n1', epoch: '8', cause: 0, recoverable: false },
    { t: 4, p: 'b', k: 'created', id: 'w1', recoverable: true },
    { t: 10, p: 'b', k: 'call', call: 'b.1', id: 'w1', kind: 'ask', within: 3000 },
    { t: 11, p: 'a', k: 'begin', call: 'b.1', id: 'w1', epoch: '9' },
    { t: 12, p: 'a', k: 'end', call: 'b.1', id: 'w1', epoch: '9' },
    { t: 13, p: 'b', k: 'settle', call: 'b.1', id: 'w1', ok: true, epoch: '9' },
    { t: 90, p: 'driver', k: 'sample', of: 'b', phase: 'before', rss: 1e8, fds: 20 },
    { t: 100, p: 'driver', k: 'kill', of: 'a' },
    { t: 101, p: 'driver', k: 'heal' },
    { t: 102, p: 'driver', k: 'exit', of: 'a', code: null, signal: 'SIGKILL' },
    { t: 300, p: 'b', k: 'activate', id: 'w1', epoch: '10', cause: 1, recoverable: true },
    { t: 5000, p: 'b', k: 'call', call: 'b.2', id: 'n1', kind: 'ask', within: 3000 },
    { t: 5001, p: 'b', k: 'settle', call: 'b.2', id: 'n1', ok: false, code: 'DW_ERR_WORKER_NOT_FOUND' },
    { t: 5002, p: 'b', k: 'probe', id: 'n1', found: false, ok: false, code: 'DW_ERR_WORKER_NOT_FOUND' },
    { t: 9000, p: 'driver', k: 'sample', of: 'b', phase: 'after', rss: 1.05e8, fds: 20 },
    { t: 9001, p: 'driver', k: 'finish' },
  ];
}

/** Registry of that run at its end. */
function tables() {
  return {
    leases: { ib: 1 },
    brokers: ['ib'],
    load: { main: { ib: 1 } },
    own: { ib: ['w1'] },
    workers: { w1: { state: 'active', owner: 'ib', epoch: '10', cluster: 'main', load: '1' } },
    pending: [],
  };
}

const broken = (lines, option, found = tables()) => [...new Set(check({ lines, tables: found, option }).violations.map(({ invariant }) => invariant))];
const with_ = (...more) => [...sound(), ...more];
const without = (test) => sound().filter((line) => !test(line));

describe('the checker of the chaos harness', () => {
  it('finds nothing in a sound run', () => {
    assert.deepStrictEqual(check({ lines: sound(), tables: tables() }).violations, []);
  });

  it('finds a handler that starts on a replaced instance (I1)', () => {
    assert.deepStrictEqual(broken(with_({ t: 301, p: 'a', k: 'begin', id: 'w1', epoch: '9' })), ['I1']);
  });

  it('lists a handler that was running then, and how long it went on', () => {
    const lines = with_({ t: 50, p: 'a', k: 'begin', call: 'b.9', id: 'w1', epoch: '9' }, { t: 340, p: 'a', k: 'end', call: 'b.9', id: 'w1', epoch: '9' });
    const { violations, overruns } = check({ lines, tables: tables() });
    assert.deepStrictEqual(violations, []);
    assert.deepStrictEqual(overruns.map(({ ms }) => ms), [40]);
  });

  it('finds a reply of a replaced instance that was accepted (I1)', () => {
    const lines = with_(
      { t: 200, p: 'b', k: 'call', call: 'b.3', id: 'w1', kind: 'ask', within: 3000 },
      { t: 201, p: 'a', k: 'begin', call: 'b.3', id: 'w1', epoch: '9' },
      { t: 310, p: 'a', k: 'end', call: 'b.3', id: 'w1', epoch: '9' },
      { t: 311, p: 'b', k: 'settle', call: 'b.3', id: 'w1', ok: true, epoch: '9' }
    );
    assert.deepStrictEqual(broken(lines), ['I1']);
  });

  it('lets a reply arrive that was on its way when its instance was replaced, for 50 ms', () => {
    const arriving = (t) => with_(
      { t: 200, p: 'b', k: 'call', call: 'b.3', id: 'w1', kind: 'ask', within: 3000 },
      { t: 201, p: 'a', k: 'begin', call: 'b.3', id: 'w1', epoch: '9' },
      { t: 299, p: 'a', k: 'end', call: 'b.3', id: 'w1', epoch: '9' },
      { t, p: 'b', k: 'settle', call: 'b.3', id: 'w1', ok: true, epoch: '9' }
    );
    assert.deepStrictEqual(broken(arriving(310)), []);
    assert.deepStrictEqual(broken(arriving(360)), ['I1']);
    // The caller stood still, or somebody else did.
    const still = (p) => broken([...arriving(1510), { t: 1501, p, k: 'stall', from: 250, to: 1500 }]);
    assert.deepStrictEqual(still('b'), []);
    assert.deepStrictEqual(still('a'), ['I1']);
  });

  it('finds an epoch that was used before, and a lower one after a higher (I2)', () => {
    for (const epoch of ['10', '9']) {
      const lines = with_({ t: 400, p: 'b', k: 'activate', id: 'w1', epoch, cause: 1, recoverable: true });
      assert.ok(broken(lines).includes('I2'), epoch);
    }
  });

  it('compares epochs as numbers, not as texts', () => {
    assert.deepStrictEqual(broken(with_({ t: 301, p: 'b', k: 'begin', id: 'w1', epoch: '10' })), []);
  });

  it('finds a call that was handled twice (I3)', () => {
    assert.deepStrictEqual(broken(with_({ t: 320, p: 'b', k: 'begin', call: 'b.1', id: 'w1', epoch: '10' })), ['I3']);
  });

  it('finds a call that settles more than 50 ms after its deadline, or never (I4)', () => {
    const call = { t: 400, p: 'b', k: 'call', call: 'b.4', id: 'w1', kind: 'ask', within: 1000 };
    const settled = (t) => ({ t, p: 'b', k: 'settle', call: 'b.4', id: 'w1', ok: false, code: 'DW_ERR_TIMEOUT' });
    assert.deepStrictEqual(broken(with_(call, settled(1449))), []);
    assert.deepStrictEqual(broken(with_(call, settled(1451))), ['I4']);
    assert.deepStrictEqual(broken(with_(call)), ['I4']);
  });

  it('moves a deadline that falls into a standstill of the caller to its end', () => {
    const call = { t: 400, p: 'b', k: 'call', call: 'b.4', id: 'w1', kind: 'ask', within: 1000 };
    const settled = { t: 3020, p: 'b', k: 'settle', call: 'b.4', id: 'w1', ok: false, code: 'DW_ERR_TIMEOUT' };
    assert.deepStrictEqual(broken(with_(call, settled, { t: 3000, p: 'b', k: 'stall', from: 1300, to: 3000 })), []);
    assert.deepStrictEqual(broken(with_(call, settled, { t: 2000, p: 'b', k: 'stall', from: 1300, to: 2000 })), ['I4']);
  });

  it('moves a deadline at which the caller has no pause, or waits for a processor, as long as that goes on', () => {
    const call = { t: 400, p: 'b', k: 'call', call: 'b.4', id: 'w1', kind: 'ask', within: 1000 };
    const settled = { t: 3020, p: 'b', k: 'settle', call: 'b.4', id: 'w1', ok: false, code: 'DW_ERR_TIMEOUT' };
    const heldUp = (from, to) => ({ t: to, p: 'b', k: 'held up', from, to });
    assert.deepStrictEqual(broken(with_(call, settled, heldUp(1300, 2000), heldUp(1900, 2990))), []);
    assert.deepStrictEqual(broken(with_(call, settled, heldUp(1300, 2000), heldUp(2010, 2990))), ['I4']);
  });

  it('finds a recoverable worker that is lost, or comes back late (I5)', () => {
    assert.ok(broken(without(({ epoch, k }) => epoch === '10' && k === 'activate')).includes('I5'));
    assert.deepStrictEqual(broken(sound(), { within: 150 }), ['I5']);
  });

  it('finds a recoverable worker that was created and never active (I5)', () => {
    assert.deepStrictEqual(broken(with_({ t: 400, p: 'b', k: 'created', id: 'w2', recoverable: true })), ['I5']);
  });

  it('finds a recoverable worker that nobody can call (I5)', () => {
    assert.deepStrictEqual(broken(with_({ t: 6000, p: 'b', k: 'probe', id: 'w1', found: true, ok: false, code: 'DW_ERR_TIMEOUT' })), ['I5']);
  });

  it('finds calls to a worker that is gone which do not say so (I6)', () => {
    for (const outcome of [{ ok: true }, { ok: false, code: 'DW_ERR_TIMEOUT' }]) {
      const call = { t: 6000, p: 'b', k: 'call', call: 'b.5', id: 'n1', kind: 'ask', within: 3000 };
      assert.deepStrictEqual(broken(with_(call, { t: 6001, p: 'b', k: 'settle', call: 'b.5', id: 'n1', ...outcome })), ['I6']);
    }
  });

  it('finds a worker that is gone and still found (I6)', () => {
    assert.deepStrictEqual(broken(with_({ t: 6000, p: 'b', k: 'probe', id: 'n1', found: true })), ['I6']);
  });

  const damages = {
    'an owner that does not exist': (found) => (found.workers.w1.owner = 'ix'),
    'a worker missing among what its owner has': (found) => (found.own.ib = []),
    'a worker under an owner that is not its own': (found) => (found.own.ix = ['w1']),
    'a worker without an entry': (found) => (found.own.ib = ['w1', 'w2']),
    'a load that is not the sum': (found) => (found.load.main.ib = 2),
    'a lease without record': (found) => (found.leases.ix = 1),
    'a record without lease': (found) => found.brokers.push('ix'),
    'a pending id without an entry': (found) => found.pending.push('w9'),
    'an entry of another epoch than what lives': (found) => (found.workers.w1.epoch = '11'),
    'an entry that stays reserved': (found) => (found.workers.w1.state = 'placing'),
  };
  for (const [title, damage] of Object.entries(damages)) {
    it(`finds ${title} (I7)`, () => {
      const found = tables();
      damage(found);
      assert.deepStrictEqual(broken(sound(), {}, found), ['I7']);
    });
  }

  it('finds a process that ends by itself (I8)', () => {
    assert.deepStrictEqual(broken(without(({ k }) => k === 'kill')), ['I8']);
  });

  it('finds memory and descriptors that do not return (I9)', () => {
    const grown = (more) => sound().map((line) => (line.phase === 'after' ? { ...line, ...more } : line));
    assert.deepStrictEqual(broken(grown({ rss: 2e8 })), ['I9']);
    assert.deepStrictEqual(broken(grown({ fds: 40 })), ['I9']);
  });
});

describe('a mutant that checks the checker', () => {
  const folder = join(__dirname, 'chaos', 'mutants');
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.patch'))) {
    it(`still finds what it takes away: ${name}`, () => {
      execFileSync('git', ['apply', '--check', join(folder, name)], { cwd: join(__dirname, '..'), stdio: 'pipe' });
    });
  }
});
