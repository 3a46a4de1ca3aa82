'use strict';

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { Agent, Broker } = require('..');
const { echo, worker } = require('./helpers/classes');
const { atEnd } = require('./helpers/cleanup');
const { Member } = require('./helpers/members');
const { startRedis } = require('../support/redis-server');
const { memorySystem } = require('./helpers/systems');
const { sleep } = require('../support/wait');

/**
 * Asks that start at a fixed rate, whatever becomes of them: `{answered, late}`. Ever more than can be done: what was not
 * handled in its time waits in front of all that comes.
 */
async function flood(ask, { perSecond, milliseconds }) {
  const outcomes = { answered: 0, late: 0 };
  const calls = [];
  const began = Date.now();
  for (let passed = 0; passed < milliseconds; passed = Date.now() - began) {
    for (const due = (passed / 1000) * perSecond; calls.length < due; ) {
      calls.push(ask().then(
        () => (outcomes.answered += 1),
        ({ code }) => {
          assert.equal(code, 'DW_ERR_TIMEOUT');
          outcomes.late += 1;
        }
      ));
    }
    await sleep(5);
  }
  await Promise.all(calls);
  return outcomes;
}

describe('where more comes than can be done, most of what is handled is answered in time', () => {
  let server;
  before(async () => {
    server = await startRedis();
  });
  after(() => server.stop());

  test('by a process whose handlers keep its event loop busy', async (t) => {
    const redis = server.url;
    const host = await Member.start(t, 'host', { redis });
    const caller = new Broker('caller', { redis, clustername: 'elsewhere' });
    atEnd(t, () => caller.destroy().then(() => caller.quit()));
    await caller.start();
    const id = await host.call('create', 'Room');
    const agent = new Agent(id, caller);
    const { answered, late } = await flood(() => agent.ask('block', 5, { timeout: 300 }), { perSecond: 800, milliseconds: 2000 });
    const handled = (await host.call('handled')).length;
    assert.ok(late > answered, `${answered} answered, ${late} late: it was not too much`);
    assert.ok(answered > 0.6 * handled, `${answered} answered, but ${handled} handled`);
  });

  test('by a worker that takes one message at a time', async (t) => {
    let handled = 0;
    const Slow = Object.assign(worker('Slow', { onAsk: () => ((handled += 1), sleep(20)) }), { concurrency: 'serial' });
    const one = memorySystem(t);
    const home = await one.start('home', { classes: [Slow] });
    const agent = await home.createWorker('Slow');
    const { answered, late } = await flood(() => agent.ask('m', null, { timeout: 200 }), { perSecond: 200, milliseconds: 2000 });
    assert.ok(late > answered, `${answered} answered, ${late} late: it was not too much`);
    assert.ok(answered > 0.6 * handled, `${answered} answered, but ${handled} handled`);
  });
});

test('answers to a broker do not wait behind the slow handlers that it has', async (t) => {
  const TELLS = 100;
  let handled = 0;
  let begun;
  const first = new Promise((resolve) => (begun = resolve));
  const Slow = worker('Slow', {
    onTell() {
      handled += 1;
      begun();
      for (const end = performance.now() + 5; performance.now() < end; );
    },
  });
  const system = memorySystem(t);
  const busy = await system.start('busy', { classes: [Slow] });
  const idle = await system.start('idle', { classes: [echo()] });
  const slow = new Agent((await busy.createWorker('Slow')).id, idle);
  const quick = new Agent((await idle.createWorker('Echo')).id, busy);
  await quick.ask('first');
  for (let n = 0; n < TELLS; n += 1) slow.tell('work');
  await first;
  await quick.ask('second');
  assert.ok(handled < TELLS / 2, `${handled} of ${TELLS} were handled first`);
});
