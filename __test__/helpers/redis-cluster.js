'use strict';

const { freePort, isFree } = require('../../support/ports');
const { startRedis } = require('../../support/redis-server');
const { until } = require('../../support/wait');

const SLOTS = 16384;
const MASTERS = 3;
/** How long a node is silent before the others vote on it. */
const NODE_TIMEOUT_MS = 1000;

/** The nodes talk to each other on the port that is so much higher. */
const BUS = 10000;
/** From here on systems hand out ports to connections: a bus there could find its port in use. */
const FIRST_OF_CONNECTIONS = 32768;

async function clusterPort() {
  for (;;) {
    const port = await freePort();
    if (port + BUS < FIRST_OF_CONNECTIONS && await isFree(port + BUS)) return port;
  }
}

/**
 * A Redis Cluster of three masters with one replica each, on free ports of 127.0.0.1.
 */
class RedisCluster {
  static async start() {
    const cluster = new RedisCluster();
    try {
      await cluster.form();
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  constructor() {
    /** The first three become masters, the others their replicas. */
    this.nodes = [];
  }

  async form() {
    const node = async () => startRedis({
      port: await clusterPort(),
      settings: { 'cluster-enabled': 'yes', 'cluster-node-timeout': NODE_TIMEOUT_MS, 'cluster-config-file': 'nodes.conf' },
    });
    for (let number = 0; number < 2 * MASTERS; number += 1) this.nodes.push(await node());
    const [first, ...others] = this.nodes;
    for (const other of others) await first.command(`CLUSTER MEET 127.0.0.1 ${other.port}`);
    const share = Math.ceil(SLOTS / MASTERS);
    for (let number = 0; number < MASTERS; number += 1) {
      const slots = Array.from({ length: Math.min(share, SLOTS - number * share) }, (_, slot) => number * share + slot);
      await this.nodes[number].command(`CLUSTER ADDSLOTS ${slots.join(' ')}`);
    }
    await until('all nodes know each other', async () => {
      const known = await Promise.all(this.nodes.map((each) => each.command('CLUSTER INFO')));
      return known.every((text) => /cluster_known_nodes:6/.test(text));
    }, 20000);
    for (let number = 0; number < MASTERS; number += 1) {
      const id = (await this.nodes[number].command('CLUSTER MYID')).split('\r\n')[1];
      await until('the replica follows its master', async () => /^\+OK/.test(await this.nodes[MASTERS + number].command(`CLUSTER REPLICATE ${id}`)), 20000);
    }
    await until('all slots are served and all replicas are in step', async () => {
      const info = await Promise.all(this.nodes.map((each) => each.command('CLUSTER INFO')));
      const links = await Promise.all(this.nodes.slice(MASTERS).map((each) => each.command('INFO replication')));
      return info.every((text) => /cluster_state:ok/.test(text)) && links.every((text) => /master_link_status:up/.test(text));
    }, 20000);
  }

  /** A key of the namespace. */
  async ownerOf(ns) {
    for (const node of this.nodes) {
      // A node that is down owns nothing.
      const answer = await node.command(`EXISTS {${ns}}:meta`).catch(() => '-');
      const role = await node.command('ROLE').catch(() => '');
      if (answer.startsWith(':') && role.includes('master')) return node;
    }
    throw new Error(`No node serves ${ns}`);
  }

  replicaOf(master) {
    return this.nodes[this.nodes.indexOf(master) + MASTERS];
  }

  async stop() {
    await Promise.all(this.nodes.map((node) => node.stop()));
  }
}

module.exports = { RedisCluster };
