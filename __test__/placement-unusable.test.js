'use strict';

/** Brokers that cannot be used, each for a reason of its own: workers are created on others. */

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { Network, missing } = require('./chaos/tools/network');
const { worker } = require('./helpers/classes');
const { atEnd } = require('./helpers/cleanup');
const { freePort } = require('../support/ports');
const { onRedis } = require('./helpers/systems');
const { until } = require('../support/wait');

/** Tells where it lives. */
const where = () => worker('Where', {
  onAsk() {
    return this.__priv.br.id;
  },
});

function warningsOf(broker) {
  const warnings = [];
  broker.on('log', ({ level, message }) => level === 'warn' && warnings.push(message));
  return warnings;
}

/** PEM texts of `tests/certificates`, for option.tls. */
function certificates(name, authority) {
  const file = (part) => fs.readFileSync(path.join(__dirname, '..', 'tests', 'certificates', part), 'utf8');
  return { key: file(`${name}.key`), cert: file(`${name}.pem`), ca: file(`${authority}.pem`) };
}

onRedis((system) => {
  /** A broker that cannot be used, a good one that is more loaded, and one that creates workers but hosts none. */
  async function trio(t, common, unusable) {
    const s = system(t);
    const bad = s.broker('bad', { ...common, ...unusable, classes: [where()] });
    const heard = warningsOf(bad);
    await bad.start();
    const good = await s.start('good', { ...common, classes: [where()] });
    const creator = s.broker('creator', { ...common, clustername: 'elsewhere' });
    const warnings = warningsOf(creator);
    creator.registerWorker(where(), { clustername: 'main' });
    await creator.start();
    return { s, bad, heard, good, creator, warnings };
  }

  async function load(good) {
    await good.createWorker('Where');
    await until('it is loaded', () => good.load >= 1);
  }

  async function createsOnTheGoodOne(creator) {
    for (let n = 0; n < 5; n += 1) assert.equal(await (await creator.createWorker('Where')).ask('where'), 'good');
  }

  const told = (messages) => messages.some((text) => /and now places new workers on other brokers/.test(text));

  test('a broker with certificates of another authority does not make createWorker fail, and is notified', async (t) => {
    const tls = certificates('broker', 'authority');
    const { bad, heard, good, creator, warnings } = await trio(t, { tls }, { tls: certificates('moved', 'another-authority') });
    // The good one cannot place its first worker on the other one either.
    await load(good);
    await createsOnTheGoodOne(creator);
    await until('it is told', () => told(heard), 15000);
    assert.ok(heard.some((text) => /Check option\.secret and option\.tls/.test(text)), heard.join('\n'));
    assert.ok(warnings.some((text) => /Placing new workers on other brokers/.test(text)), warnings.join('\n'));
    assert.equal(bad.load, 0);
  });

  test('a broker that is connected to as many others as it allows does not make createWorker fail', async (t) => {
    const { s, bad, good, creator } = await trio(t, { localSockets: false }, { maxPeers: 1 });
    const creators = [creator];
    for (const id of ['second', 'third', 'fourth']) {
      creators.push(await s.start(id, { localSockets: false, clustername: 'elsewhere' }));
      creators.at(-1).registerWorker(where(), { clustername: 'main' });
    }
    for (let n = 0; n < 20; n += 1) await good.createWorker('Where', { id: `load${n}` }).catch(() => {});
    const places = [];
    for (const each of creators) {
      const found = new Set();
      for (let n = 0; n < 3; n += 1) found.add(await (await each.createWorker('Where')).ask('where'));
      places.push([...found].join());
    }
    // One of them at most is connected to the full one.
    assert.ok(places.filter((place) => place !== 'good').length <= 1, `${places.join(' | ')} ${bad.load}`);
  });

  test('a broker behind a firewall that drops packets does not make createWorker fail, and is notified', async (t) => {
    const why = missing();
    if (why !== undefined) {
      t.skip(why);
      return;
    }
    const network = new Network();
    atEnd(t, () => network.forget());
    const host = network.host();
    network.cut(network.driver, host);
    const advertise = { host: host.address, port: await freePort() };
    const { bad, heard, good, creator } = await trio(t, { localSockets: false }, { advertise });
    await load(good);
    await createsOnTheGoodOne(creator);
    await until('it is told', () => told(heard), 15000);
    assert.equal(bad.load, 0);
  });
});
