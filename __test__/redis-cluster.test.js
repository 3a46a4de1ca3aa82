'use strict';

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { Broker } = require('..');
const { echo } = require('./helpers/classes');
const { RedisCluster } = require('./helpers/redis-cluster');
const { atEnd } = require('./helpers/cleanup');
const { until, sleep } = require('../support/wait');

const FAILOVER_MS = 10000;

describe('a Redis Cluster of three masters and three replicas', () => {
  let cluster;
  before(async () => {
    cluster = await RedisCluster.start();
  });
  after(() => cluster.stop());

  async function start(t, id, option) {
    const broker = new Broker(id, option);
    const lines = [];
    broker.on('log', ({ level, message }) => lines.push(`${level}: ${message}`));
    broker.registerWorker(echo('Echo'));
    atEnd(t, async () => {
      if (broker.state === Broker.State.ACTIVE) await broker.destroy({ noRecover: true });
      broker.quit();
    });
    await broker.start();
    return { broker, lines };
  }

  test('is entered by any node of redis.nodes or of a URL, dead ones among them', async (t) => {
    const [a, b] = cluster.nodes;
    const dead = { host: '127.0.0.1', port: 1 };
    const one = await start(t, 'one', { ns: 'seeds', redis: { nodes: [dead, { host: '127.0.0.1', port: a.port }] } });
    const two = await start(t, 'two', { ns: 'seeds', redis: `redis://127.0.0.1:1,127.0.0.1:${b.port}` });
    const agent = await one.broker.createWorker('Echo', { id: 'echo' });
    assert.equal(await agent.ask('x', 1), 1);
    assert.equal((await two.broker.findWorker('echo')).id, 'echo');
  });

  test('is followed after a failover although the only seed and the owner of the slot are dead', async (t) => {
    const ns = 'failover';
    const seed = await cluster.ownerOf(ns);
    const { broker, lines } = await start(t, 'one', { ns, redis: { nodes: [{ host: '127.0.0.1', port: seed.port }] } });
    await broker.createWorker('Echo', { id: 'before' });
    lines.length = 0;
    const began = Date.now();
    seed.pause();
    await seed.stop();
    await until('workers are made again', async () => {
      const agent = await broker.createWorker('Echo', { id: `after${Date.now()}` });
      return (await agent.ask('x', 1)) === 1;
    }, FAILOVER_MS);
    t.diagnostic(`followed after ${Date.now() - began} ms, ${lines.length} log lines`);
    assert.equal(await cluster.ownerOf(ns), cluster.replicaOf(seed));
    assert.equal(await (await broker.findWorker('before')).ask('x', 2), 2);
    const seconds = Math.ceil((Date.now() - began) / 1000);
    const kinds = new Map();
    for (const line of lines) {
      const kind = line.replace(/[\d.:]+|"[^"]*"/g, '#');
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    }
    for (const [kind, count] of kinds) assert.ok(count <= seconds + 1, `${count} lines in ${seconds} s: ${kind}`);
  });

  test('is left alone when nothing happens', async (t) => {
    const { lines } = await start(t, 'quiet', { ns: 'quiet', redis: { nodes: cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port })) } });
    lines.length = 0;
    await sleep(1500);
    assert.deepEqual(lines, []);
  });
});
