'use strict';

/**
 * The master of a Sentinel group is lost.
 */

const fs = require('node:fs');
const path = require('node:path');
const { freePort } = require('../../../support/ports');
const { sleep, until } = require('../../../support/wait');
const { now } = require('../history');

const REPLICAS = 2;
const SENTINELS = 3;
const RATE = 60;
/** Without these a resumed master acknowledges writes that are lost. */
const SAFE = { 'min-replicas-to-write': 1, 'min-replicas-max-lag': 1, 'repl-diskless-sync-delay': 0 };

async function group(world) {
  const master = await world.redis({ settings: SAFE });
  const replicas = [];
  for (let n = 0; n < REPLICAS; n += 1) replicas.push(await world.redis({ settings: { ...SAFE, replicaof: ['127.0.0.1', master.port] } }));
  const ports = [];
  for (let n = 0; n < SENTINELS; n += 1) {
    const port = await freePort();
    ports.push(port);
    const directory = path.join(world.directory, `redis-${world.servers.length}`);
    fs.mkdirSync(directory);
    fs.writeFileSync(path.join(directory, 'sentinel.conf'), [
      `port ${port}`, 'bind 127.0.0.1', 'protected-mode no', `dir ${directory}`, `sentinel monitor chaos 127.0.0.1 ${master.port} 2`,
      'sentinel down-after-milliseconds chaos 1000', 'sentinel failover-timeout chaos 4000', '',
    ].join('\n'));
    await world.redis({ port, sentinel: true });
  }
  const sentinel = world.servers.at(-1);
  await until('the Sentinels know each other and the replicas', async () => {
    const facts = await sentinel.command('SENTINEL', 'MASTER', 'chaos');
    const value = (name) => Number(facts[facts.indexOf(name) + 1]);
    return value('num-slaves') === REPLICAS && value('num-other-sentinels') === SENTINELS - 1;
  }, 20000);
  await until('the replicas are in step', async () => (await master.command('INFO', 'replication')).includes(`connected_slaves:${REPLICAS}`), 10000);
  return { url: `redis-sentinel://${ports.map((port) => `127.0.0.1:${port}`).join(',')}/chaos`, master, replicas };
}

function variant(lose, restore) {
  return async (world, figures) => {
    const { url, master, replicas } = await group(world);
    await world.system({ brokers: 3, recoverable: 120, others: 30, option: { redis: url } });
    await world.load(RATE);
    await sleep(1500 + world.random.below(500));
    const time = world.fault('master lost');
    await lose(master);
    const stop = new AbortController();
    const probing = probe(world, stop.signal);
    const promoted = watchFor(replicas, time);
    const created = () => world.observer.since(time, 'created');
    await until('workers can be created', () => created().length > 0, 12000).catch(() => {});
    figures.most('create back', created().length === 0 ? Infinity : created()[0].t - time, 4000, 'ms');
    await sleep(3000);
    await restore(master);
    await sleep(4000);
    stop.abort();
    await probing;
    world.heal();
    for (const replica of replicas) {
      if ((await replica.command('ROLE').catch(() => []))[0] === 'master') world.server = replica;
    }
    figures.equal('failed over', world.server !== master, true);
    figures.note('new master takes writes', await promoted, 'ms');
    figures.equal('evictions', world.evictions(time), 0);
    return {};
  };
}

/** After how long one of them takes writes. */
async function watchFor(replicas, time) {
  const writable = (replica) => replica.command('SET', 'probe', '1').then(() => true, () => false);
  await until('a replica takes writes', async () => (await Promise.all(replicas.map(writable))).includes(true), 12000).catch(() => {});
  return now() - time;
}

/** Creates a worker every 100 ms. */
async function probe(world, signal) {
  const broker = world.random.pick(world.brokers);
  for (let n = 0; !signal.aborted; n += 1) {
    const id = `np${n}`;
    broker.run('create', { ids: [id], recoverable: false, once: true }).catch(() => {});
    await sleep(100);
  }
}

module.exports = {
  number: 6,
  title: 'Sentinel failover: master killed; frozen and resumed',
  target: 'no eviction; create and find back in ≤ 4 s',
  variants: {
    killed: variant((master) => master.kill(), (master) => master.start()),
    frozen: variant((master) => master.pause(), (master) => master.resume()),
  },
};
