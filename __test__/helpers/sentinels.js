'use strict';

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { answer, freePort, startRedis } = require('./redis-server');
const { until } = require('./wait');

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
    for (const sentinel of watching) {
      await until('a sentinel knows the replica', async () => /num-slaves\r\n\$1\r\n1\r\n/.test(await sentinel.state()), PATIENCE_MS);
    }
    return { master, replica, sentinels: watching, url: `redis-sentinel://${ports.map((port) => `127.0.0.1:${port}`).join(',')}/${NAME}`, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

class Sentinel {
  constructor(port, master, quorum) {
    this.port = port;
    this.directory = fs.mkdtempSync(path.join(os.tmpdir(), 'dworker-test-'));
    const file = path.join(this.directory, 'sentinel.conf');
    const lines = [
      `port ${port}`, 'bind 127.0.0.1', `dir ${this.directory}`, `sentinel monitor ${NAME} 127.0.0.1 ${master} ${quorum}`,
      `sentinel down-after-milliseconds ${NAME} 1000`, `sentinel failover-timeout ${NAME} 5000`,
    ];
    fs.writeFileSync(file, lines.join('\n'));
    this.child = spawn('redis-server', [file, '--sentinel'], { stdio: 'ignore' });
    this.child.on('error', () => {});
  }

  /** The raw answer to SENTINEL master. */
  state() {
    return answer(this.port, `SENTINEL master ${NAME}`);
  }

  async stop() {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const ended = once(this.child, 'exit');
      this.child.kill('SIGKILL');
      await ended;
    }
    fs.rmSync(this.directory, { recursive: true, force: true });
  }
}

module.exports = { startSentinels };
