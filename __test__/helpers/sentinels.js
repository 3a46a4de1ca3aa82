'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { freePort } = require('../../support/ports');
const { RedisServer, startRedis } = require('../../support/redis-server');
const { until } = require('../../support/wait');

const NAME = 'mymaster';
const PATIENCE_MS = 15000;

/**
 * A master, its replica and sentinels that take a master for down after a second.
 *
 * @param {{sentinels: number=}} [option]
 * @returns {Promise<{master: Object, replica: Object, sentinels: Object[], url: string, stop: function(): Promise}>}
 */
async function startSentinels({ sentinels = 1 } = {}) {
  const started = [];
  const stop = () => Promise.all(started.map((each) => each.stop()));
  try {
    // otherwise a replica is made to wait for others
    const master = await startRedis({ settings: { 'repl-diskless-sync-delay': 0 } });
    started.push(master);
    const replica = await startRedis({ settings: { replicaof: `127.0.0.1 ${master.port}` } });
    started.push(replica);
    await until('the replica is attached', async () => (await master.command('INFO replication')).includes('state=online'), PATIENCE_MS);
    const ports = [];
    for (let count = 0; count < sentinels; count += 1) ports.push(await freePort());
    const watching = ports.map((port) => new Sentinel(port, master.port, Math.floor(sentinels / 2) + 1));
    started.push(...watching);
    await Promise.all(watching.map((sentinel) => sentinel.start()));
    for (const sentinel of watching) {
      await until('a sentinel knows the replica', async () => /num-slaves\r\n\$1\r\n1\r\n/.test(await sentinel.state()), PATIENCE_MS);
    }
    return { master, replica, sentinels: watching, url: `redis-sentinel://${ports.map((port) => `127.0.0.1:${port}`).join(',')}/${NAME}`, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

class Sentinel extends RedisServer {
  constructor(port, master, quorum) {
    super({ port, program: 'redis-server' });
    this.file = path.join(this.directory, 'sentinel.conf');
    const lines = [
      `port ${port}`, 'bind 127.0.0.1', `dir ${this.directory}`, `sentinel monitor ${NAME} 127.0.0.1 ${master} ${quorum}`,
      `sentinel down-after-milliseconds ${NAME} 1000`, `sentinel failover-timeout ${NAME} 5000`,
    ];
    fs.writeFileSync(this.file, lines.join('\n'));
  }

  configuration() {
    return [this.file, '--sentinel'];
  }

  /** The raw answer to SENTINEL master. */
  state() {
    return this.command(`SENTINEL master ${NAME}`);
  }
}

module.exports = { startSentinels };
