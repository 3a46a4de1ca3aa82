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
const START_MS = 10000;

/**
 * Sends inline commands, one after the other, and returns the raw first piece of the last answer.
 *
 * @param {number} port
 * @param {string[]} lines
 * @param {string} [host]
 */
async function answer(port, lines, host = '127.0.0.1') {
  const socket = net.connect(port, host);
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

/** A redis-server process of our own that keeps nothing on disk unless its settings say so. */
class RedisServer {
  /**
   * @param {object} given
   * @param {number} given.port
   * @param {string} [given.host]
   * @param {string} [given.password]
   * @param {object} [given.settings] more of its configuration; an array is a setting with several values
   * @param {string} [given.program]
   * @param {string[]} [given.wrap] a program and its arguments that run the server
   * @param {object} [given.env] added to its environment
   * @param {string} [given.directory] where it works; without one it gets a temporary directory, which `stop` removes
   */
  constructor({ port, host = '127.0.0.1', password, settings = {}, program = PROGRAM, wrap = [], env = {}, directory }) {
    Object.assign(this, { port, host, password, settings, program, wrap, env });
    this.temporary = directory === undefined;
    this.directory = directory ?? fs.mkdtempSync(path.join(os.tmpdir(), 'dworker-redis-'));
    fs.mkdirSync(this.directory, { recursive: true });
  }

  get url() {
    return `redis://${this.password === undefined ? '' : `:${this.password}@`}${this.host}:${this.port}`;
  }

  /** The arguments of the program. */
  configuration() {
    const settings = { port: this.port, bind: this.host, dir: this.directory, save: '', appendonly: 'no', ...this.settings };
    if (this.password !== undefined) settings.requirepass = this.password;
    return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, ...[value].flat().map(String)]);
  }

  /** Starts the process; resolves when it answers. */
  async start() {
    const [program, ...args] = [...this.wrap, this.program, ...this.configuration()];
    const child = spawn(program, args, { stdio: 'ignore', env: { ...process.env, ...this.env } });
    this.child = child;
    this.ended = new Promise((resolve) => {
      child.once('exit', resolve);
    });
    // Rejects where the program is not there.
    await once(child, 'spawn');
    child.on('error', () => {});
    await until(`${program} answers on port ${this.port}`, async () => this.isOver() || (await this.command('PING')).length > 0, START_MS);
    if (this.isOver()) throw new Error(`${program} ended with code ${child.exitCode}: another program may listen on port ${this.port}`);
  }

  isOver() {
    return this.child === undefined || this.child.pid === undefined || this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** The raw first piece of the answer to an inline command. */
  command(line) {
    return answer(this.port, [...(this.password === undefined ? [] : [`AUTH ${this.password}`]), line], this.host);
  }

  /** Answers nothing until `resume()`, as a machine that hangs. */
  pause() {
    this.child.kill('SIGSTOP');
  }

  resume() {
    this.child.kill('SIGCONT');
  }

  /** kill -9: without persistence it comes back empty. */
  async kill() {
    if (this.isOver()) return;
    this.child.kill('SIGKILL');
    await this.ended;
  }

  /** Kills it and removes its temporary directory. */
  async stop() {
    await this.kill();
    if (this.temporary) fs.rmSync(this.directory, { recursive: true, force: true });
  }
}

/**
 * Starts a private server, on a free port of 127.0.0.1 where none is named.
 *
 * @param {object} [given] as of `RedisServer`
 */
async function startRedis(given = {}) {
  for (let tried = 1; ; tried += 1) {
    const server = new RedisServer({ ...given, port: given.port ?? (await freePort()) });
    try {
      await server.start();
      return server;
    } catch (error) {
      await server.stop();
      // Another process may have taken the port in between.
      if (tried === TRIES || error.code === 'ENOENT') throw error;
    }
  }
}

module.exports = { RedisServer, answer, startRedis };
