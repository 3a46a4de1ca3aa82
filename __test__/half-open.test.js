'use strict';

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { BlackHole } = require('./helpers/black-hole');
const { Member } = require('./helpers/members');
const { freePort } = require('../support/ports');
const { startRedis } = require('../support/redis-server');
const { rejection, sleep, until } = require('../support/wait');

/** A broker closes a connection after three missed pings, one a second. */
const FOUND_MS = 3500;
/** Longer than anything here takes: no test passes because a call ran out of time. */
const PATIENCE_MS = 20000;

describe('a connection that is half open', () => {
  let server;
  let systems = 0;
  before(async () => {
    server = await startRedis();
  });
  after(() => server.stop());

  /** Two brokers; all that `caller` says to `callee` goes through the hole. */
  async function pair(t) {
    const option = { redis: server.url, ns: `half${(systems += 1)}`, rpcTimeout: PATIENCE_MS };
    const port = await freePort();
    const hole = await BlackHole.start(t, port);
    const callee = await Member.start(t, 'callee', { ...option, listen: { port }, advertise: { port: hole.port } });
    const ids = [await callee.call('create', 'Room'), await callee.call('create', 'Room')];
    const caller = await Member.start(t, 'caller', option);
    await caller.call('ask', ids[0], 'echo', 1);
    // Watched from here on: the half-open connection is found by its pings, not by an attempt to make it.
    await until('the control connection is there', () => hole.sockets.size >= 4);
    return { hole, callee, caller, id: ids[0], quick: ids[1] };
  }

  async function found(caller, id) {
    const begun = performance.now();
    const error = await rejection(caller.call('ask', id, 'hang'));
    assert.equal(error.code, 'DW_ERR_PEER_LOST', error.message);
    assert.equal(error.delivered, 'unknown');
    return performance.now() - begun;
  }

  test('is found within 3.5 s: its calls fail, later ones at once, and no broker is evicted', async (t) => {
    const { hole, callee, caller, id, quick } = await pair(t);
    hole.swallow();
    const took = await found(caller, id);
    t.diagnostic(`found after ${Math.round(took)} ms`);
    assert.ok(took <= FOUND_MS, `${took} ms`);
    const begun = performance.now();
    const later = await rejection(caller.call('ask', quick, 'echo', 2));
    assert.equal(later.code, 'DW_ERR_UNREACHABLE', later.message);
    assert.equal(later.delivered, 'no');
    assert.ok(performance.now() - begun < 1000);
    await sleep(2000);
    assert.deepEqual(await caller.call('deaths'), []);
    hole.heal();
    await until('it answers again', async () => (await caller.call('ask', quick, 'echo', 3)) === 3, PATIENCE_MS);
    assert.equal((await callee.call('journal')).filter(({ what }) => what === 'create').length, 2);
  });

  for (const busy of ['caller', 'callee']) {
    test(`is found as soon while the event loop of the ${busy} is busy`, async (t) => {
      const members = await pair(t);
      const { hole, caller, id } = members;
      const finding = found(caller, id);
      await sleep(50);
      hole.swallow();
      const blocked = members[busy].call('block', 2500);
      const took = await finding;
      t.diagnostic(`found after ${Math.round(took)} ms`);
      assert.ok(took <= FOUND_MS + 50, `${took} ms`);
      await blocked;
    });
  }

  test('is known by the time an event loop that was busy all along goes on', async (t) => {
    const { hole, caller, id } = await pair(t);
    const finding = found(caller, id);
    await sleep(50);
    hole.swallow();
    await caller.call('block', 5000);
    const waited = performance.now();
    await finding;
    assert.ok(performance.now() - waited < 500, 'it had to be waited for');
  });

  test('is distinguished from a peer that is alive and does not read', async (t) => {
    const { callee, caller, id } = await pair(t);
    const blocked = callee.call('block', 6000);
    await sleep(50);
    // Nothing of this is read or answered by JavaScript for six seconds.
    const answers = await Promise.all([1, 2, 3].map((data) => caller.call('ask', id, 'echo', data)));
    assert.deepEqual(answers, [1, 2, 3]);
    await blocked;
    assert.deepEqual(await caller.call('deaths'), []);
  });
});
