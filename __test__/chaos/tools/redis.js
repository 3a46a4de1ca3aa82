'use strict';

/**
 * Redis servers and Sentinels of a run, each a process of its own.
 */

const path = require('node:path');
const { Redis } = require('ioredis-5');
const { RedisServer } = require('../../../support/redis-server');
const { killWithUs } = require('./cleanup');

class Server extends RedisServer {
  /**
   * @param {string} directory its own
   * @param {number} port
   * @param {object} [given] as of `RedisServer`; `sentinel: true`: it is a Sentinel, configured by `sentinel.conf` in its directory
   */
  constructor(directory, port, { sentinel = false, ...given } = {}) {
    super({ ...given, directory, port });
    this.sentinel = sentinel;
  }

  configuration() {
    if (this.sentinel) return [path.join(this.directory, 'sentinel.conf'), '--sentinel'];
    return [...super.configuration(), '--protected-mode', 'no'];
  }

  async start() {
    const started = super.start();
    killWithUs(this.child);
    await started;
  }

  client(option = {}) {
    return new Redis({ host: this.host, port: this.port, connectTimeout: 1000, ...option });
  }

  /** One command, its words, on a connection of its own; the answer is parsed. */
  async command(...words) {
    const client = this.client({ lazyConnect: true, retryStrategy: null });
    client.on('error', () => {});
    try {
      await client.connect();
      return await client.call(...words);
    } finally {
      client.disconnect();
    }
  }

  /** Ends with its data on disk. */
  async shutdown() {
    await this.command('SHUTDOWN', 'SAVE').catch(() => {});
    await this.ended;
  }
}

module.exports = { Server };
