'use strict';

/**
 * Redis servers and Sentinels of a run, each a process of its own.
 */

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const path = require('node:path');
const { Redis } = require('ioredis-5');
const { until } = require('../../helpers/wait');
const { killWithUs } = require('./cleanup');

const PROGRAM = process.env.DWORKER_TEST_SERVER || 'redis-server';

class Server {
  /**
   * @param {string} directory its own
   * @param {number} port
   * @param {object} [option] `{settings, wrap, env, host}`: more settings; a program and arguments to run it under; its environment
   */
  constructor(directory, port, { settings = {}, wrap = [], env = {}, host = '127.0.0.1', sentinel = false } = {}) {
    Object.assign(this, { directory, port, settings, wrap, env, host, sentinel });
    fs.mkdirSync(directory, { recursive: true });
  }

  get url() {
    return `redis://${this.host}:${this.port}`;
  }

  async start() {
    const [program, ...args] = [...this.wrap, PROGRAM, ...this.arguments()];
    this.child = spawn(program, args, { stdio: 'ignore', env: { ...process.env, ...this.env } });
    killWithUs(this.child);
    this.ended = once(this.child, 'exit');
    await until(`Redis answers on ${this.host}:${this.port}`, () => this.answers(), 10000);
    if (this.child.exitCode !== null) throw new Error(`Another program listens on port ${this.port}`);
  }

  arguments() {
    if (this.sentinel) return [path.join(this.directory, 'sentinel.conf'), '--sentinel'];
    const settings = { port: this.port, dir: this.directory, bind: this.host, 'protected-mode': 'no', save: '', appendonly: 'no', ...this.settings };
    return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, ...[value].flat().map(String)]);
  }

  async answers() {
    const client = this.client({ lazyConnect: true, retryStrategy: null });
    client.on('error', () => {});
    try {
      await client.connect();
      return (await client.ping()) === 'PONG';
    } finally {
      client.disconnect();
    }
  }

  client(option = {}) {
    return new Redis({ host: this.host, port: this.port, connectTimeout: 1000, ...option });
  }

  /** One command on a connection of its own. */
  async command(...args) {
    const client = this.client({ lazyConnect: true, retryStrategy: null });
    client.on('error', () => {});
    try {
      await client.connect();
      return await client.call(...args);
    } finally {
      client.disconnect();
    }
  }

  freeze() {
    process.kill(this.child.pid, 'SIGSTOP');
  }

  thaw() {
    process.kill(this.child.pid, 'SIGCONT');
  }

  /** kill -9: without persistence it comes back empty. */
  async kill() {
    if (this.child === undefined || this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill('SIGKILL');
    await this.ended;
  }

  /** Ends with its data on disk. */
  async shutdown() {
    await this.command('SHUTDOWN', 'SAVE').catch(() => {});
    await this.ended;
  }
}

module.exports = { Server };
