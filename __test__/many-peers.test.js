'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { test } = require('node:test');
const { onRedis } = require('./helpers/systems');
const { rejection, until } = require('../support/wait');
const { echo } = require('./helpers/classes');

const CALLERS = 12;
/** Descriptors of a broker that talks to nobody, at most: connections to Redis, two listeners, and both ends of two control connections, with a few of the runtime. */
const QUIET = 12;
/** Equal values in a row after which a figure counts as settled. */
const SETTLED = 60;

function warningsOf(broker) {
  const warnings = [];
  broker.on('log', ({ level, message }) => level === 'warn' && warnings.push(message));
  return warnings;
}

/** A broker that hosts nothing and calls workers of the cluster `main`; what it warns of is in `warnings`. */
async function caller(s, id, option) {
  const broker = s.broker(id, { clustername: 'callers', ...option });
  broker.registerWorker(echo('Room'), { clustername: 'main' });
  const warnings = warningsOf(broker);
  await broker.start();
  return { broker, warnings };
}

/** A broker that hosts the class `Room`, with one worker `room`. */
async function host(s, option) {
  const broker = s.broker('host', { classes: [echo('Room')], ...option });
  const warnings = warningsOf(broker);
  await broker.start();
  await broker.createWorker('Room', { id: 'room' });
  return { broker, warnings };
}

async function ask(broker, data) {
  return (await broker.findWorker('room')).ask('echo', data);
}

function descriptors() {
  return fs.readdirSync('/proc/self/fd').length;
}

/** What `figure()` tells once it no longer changes. */
async function settled(figure) {
  let last;
  let same = 0;
  await until('it no longer changes', () => {
    const now = figure();
    same = now === last ? same + 1 : 0;
    last = now;
    return same >= SETTLED;
  }, 15000);
  return last;
}

onRedis((system) => {
  test('a broker that is connected to maxPeers others refuses more, goes on, and takes others when places become free', async (t) => {
    const s = system(t);
    const { warnings } = await host(s, { maxPeers: 2 });
    const [one, two, three] = [await caller(s, 'one'), await caller(s, 'two'), await caller(s, 'three', { rpcTimeout: 600, retries: { duration: 300 } })];
    assert.equal(await ask(one.broker, 1), 1);
    assert.equal(await ask(two.broker, 2), 2);
    await until('the broker warns', () => warnings.some((text) => /connected to 2 of the 2 .*Raise option\.maxPeers/.test(text)));

    const asking = await rejection(ask(three.broker, 3));
    assert.deepEqual([asking.code, asking.delivered], ['DW_ERR_OVERLOADED', 'no']);
    assert.match(asking.message, /as many other brokers as it allows. Raise option\.maxPeers of that broker/);
    const creating = await rejection(three.broker.createWorker('Room'));
    assert.deepEqual([creating.code, creating.delivered], ['DW_ERR_OVERLOADED', 'no']);
    await until('the broker says why', () => warnings.some((text) => /option\.maxPeers of this broker is too small/.test(text)));
    assert.equal(await ask(one.broker, 'goes on'), 'goes on');
    assert.equal(await ask(two.broker, 'goes on'), 'goes on');

    await two.broker.destroy();
    await until('there is a place', () => ask(three.broker, 4).then((answer) => answer === 4, () => false));
    assert.equal((await three.broker.createWorker('Room', { id: 'later' })).id, 'later');
    const complaints = [...warnings, ...three.warnings].filter((text) => /cannot connect to this one|cannot be reached|got no answer/.test(text));
    assert.deepEqual(complaints, []);
  });

  test('a broker that is connected to maxPeers others reports that, and complains about no broker', async (t) => {
    const s = system(t);
    const { warnings } = await host(s);
    const second = s.broker('second', { classes: [echo('Hall')] });
    const heard = warningsOf(second);
    await second.start();
    const full = await caller(s, 'full', { maxPeers: 1, rpcTimeout: 600, socTimeout: 1500, retries: { duration: 300 } });
    full.broker.registerWorker(echo('Hall'), { clustername: 'main' });
    assert.equal(await ask(full.broker, 1), 1);
    const error = await rejection(full.broker.createWorker('Hall', { id: 'hall' }));
    assert.deepEqual([error.code, error.delivered], ['DW_ERR_OVERLOADED', 'no']);
    assert.match(error.message, /^This broker is connected to 1 other brokers, its limit.*Raise option\.maxPeers/);
    assert.equal(await ask(full.broker, 2), 2);
    // The connection to the first one is not used any more.
    await until('there is a place', () => full.broker.createWorker('Hall', { id: 'hall' }).then(() => true, () => false), 15000);
    assert.deepEqual([...warnings, ...heard].filter((text) => /cannot connect|got no answer|refused/.test(text)), []);
  });

  test('unused connections are closed on both sides, and with them those that watch the other broker', { skip: !fs.existsSync('/proc/self/fd') && 'counts in /proc' }, async (t) => {
    const s = system(t);
    const option = { socTimeout: 1000 };
    const before = descriptors();
    await host(s, option);
    const callers = [];
    for (let n = 0; n < CALLERS; n += 1) callers.push((await caller(s, `caller${n}`, option)).broker);
    await until('each broker watches its two neighbours of now alone', () => descriptors() - before <= QUIET * (CALLERS + 1), 15000);
    for (let round = 0; round < 2; round += 1) {
      const quiet = await settled(descriptors);
      const answers = await Promise.all(callers.map((broker, n) => ask(broker, n)));
      assert.deepEqual(answers, [...callers.keys()]);
      assert.ok(descriptors() >= quiet + 2 * CALLERS, `${descriptors()} instead of ${quiet}`);
      await until('what is not used is closed', () => descriptors() <= quiet, 15000);
    }
  });
});
