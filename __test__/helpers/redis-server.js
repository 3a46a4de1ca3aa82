'use strict';

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { freePort } = require('./ports');
const { until } = require('./wait');

/** Which program is started; a suite over several versions names others. */
const PROGRAM = process.env.DWORKER_TEST_SERVER || 'redis-server';
const TRIES = 5;
const SILENCE_MS = 5000;

/**
 * A private server on a free port of 127.0.0.1, with nothing kept on disk.
 *
 * @param {{port: number=, password: string=, settings: Object=}} [option] `settings`: more of its configuration
 */
async function startRedis({ port, password, settings } = {}) {
  for (let tried = 1; ; tried += 1) {
    const server = new RedisServer(port === undefined ? await freePort() : port, password, settings);
    try {
      await server.ready();
      return server;
    } catch (error) {
      await server.stop();
      // Another process may have taken the port in between.
      if (tried === TRIES) throw error;
    }
  }
}

/** Sends inline commands, one after the other, and returns the raw first piece of the last answer. */
async function answer(port, ...lines) {
  const socket = net.connect(port, '127.0.0.1');
  const ended = new Promise((_, reject) => {
    socket.setTimeout(SILENCE_MS, () => socket.destroy(new Error(`Port ${port} does not answer`)));
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`Port ${port} closed the connection`)));
  });
  ended.catch(() => {});
  try {
    let piece;
    for (const line of lines) {
      socket.write(`${line}\r\n`);
      [piece] = await Promise.race([once(socket, 'data'), ended]);
    }
    return piece.toString();
  } finally {
    socket.destroy();
  }
}

class RedisServer {
  constructor(port, password, more = {}) {
    this.port = port;
    this.password = password;
    this.directory = fs.mkdtempSync(path.join(os.tmpdir(), 'dworker-test-'));
    const settings = { port, bind: '127.0.0.1', dir: this.directory, save: '', appendonly: 'no', ...more };
    if (password !== undefined) settings.requirepass = password;
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
    this.child = spawn(PROGRAM, args, { stdio: 'ignore' });
    this.child.on('error', () => {});
  }

  get url() {
    return `redis://${this.password === undefined ? '' : `:${this.password}@`}127.0.0.1:${this.port}`;
  }

  async ready() {
    await until(`${PROGRAM} answers on port ${this.port}`, async () => {
      if (this.child.exitCode !== null) throw new Error(`${PROGRAM} ended with code ${this.child.exitCode}`);
      return (await this.command('PING')).length > 0;
    });
  }

  /** The raw first piece of the answer to an inline command. */
  command(line) {
    return answer(this.port, ...(this.password === undefined ? [] : [`AUTH ${this.password}`]), line);
  }

  /** Answers nothing until `resume()`, as a machine that hangs. */
  pause() {
    this.child.kill('SIGSTOP');
  }

  resume() {
    this.child.kill('SIGCONT');
  }

  async stop() {
    if (this.child.pid !== undefined && this.child.exitCode === null && this.child.signalCode === null) {
      const ended = once(this.child, 'exit');
      this.child.kill('SIGKILL');
      await ended;
    }
    fs.rmSync(this.directory, { recursive: true, force: true });
  }
}

module.exports = { startRedis, freePort, answer };
