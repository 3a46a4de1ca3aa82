'use strict';

/**
 * A broker process (`program/main.js`) as its driver sees it.
 */

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const path = require('node:path');
const { killWithUs } = require('./cleanup');

const WATCH_MS = 50;
const MEBIBYTE = 1024 * 1024;
const PROGRAM = path.join(__dirname, '..', 'program', 'main.js');

class BrokerProcess {
  /** @param {object} given `{id, name, option, directory, seed, log, wrap, env}` */
  constructor({ id, name, option, directory, seed, log, wrap = [], env = {} }) {
    Object.assign(this, { id, name, log });
    this.file = `${name}.jsonl`;
    this.calls = new Map();
    this.last = 0;
    fs.writeFileSync(path.join(directory, this.file), '');
    this.output = path.join(directory, `${name}.out`);
    const output = fs.openSync(this.output, 'a');
    const task = JSON.stringify({ id, option, directory, file: this.file, seed });
    const [program, ...args] = [...wrap, process.execPath, '--expose-gc', PROGRAM, task];
    this.child = spawn(program, args, { stdio: ['ignore', output, output, 'ipc'], env: { ...process.env, ...env } });
    fs.closeSync(output);
    killWithUs(this.child);
    this.alive = true;
    this.ready = once(this.child, 'message');
    this.ended = once(this.child, 'exit').then(([code, signal]) => this.over(code, signal));
    log.write('spawn', { of: name, broker: id, pid: this.child.pid });
  }

  get pid() {
    return this.child.pid;
  }

  over(code, signal) {
    this.alive = false;
    this.log.write('exit', { of: this.name, code, signal });
    for (const { reject } of this.calls.values()) reject(new Error(`The process of ${this.name} has ended`));
    this.calls.clear();
    return { code, signal };
  }

  async start() {
    await Promise.race([this.ready, this.ended.then(() => {
      throw new Error(`The process of ${this.name} ended before it was ready: ${this.lastWords()}`);
    })]);
    this.child.on('message', ({ call, value, error }) => {
      const one = this.calls.get(call);
      this.calls.delete(call);
      if (error) one.reject(Object.assign(new Error(error.message), error));
      else one.resolve(value);
    });
    await this.run('start');
    return this;
  }

  /** The error that it printed. */
  lastWords() {
    const lines = fs.readFileSync(this.output, 'utf8').split('\n');
    return lines.find((line) => /Error/.test(line)) || lines.at(-1);
  }

  /** Runs an operation of the program. */
  run(name, ...args) {
    this.last += 1;
    const call = this.last;
    return new Promise((resolve, reject) => {
      if (!this.alive) {
        reject(new Error(`The process of ${this.name} has ended`));
        return;
      }
      this.calls.set(call, { resolve, reject });
      this.child.send({ call, name, args }, (error) => error && reject(error));
    });
  }

  stop() {
    this.log.write('fault', { what: 'SIGSTOP', of: this.name });
    process.kill(this.pid, 'SIGSTOP');
  }

  continue() {
    process.kill(this.pid, 'SIGCONT');
    this.log.write('fault', { what: 'SIGCONT', of: this.name });
  }

  /** The process may end from now on. */
  mayEnd() {
    this.log.write('kill', { of: this.name });
  }

  async kill() {
    if (!this.alive) return;
    this.mayEnd();
    this.child.kill('SIGKILL');
    await this.ended;
  }

  /** Notes resident bytes and open descriptors. */
  sample(phase) {
    this.log.write('sample', { of: this.name, phase, rss: this.memory(), fds: fs.readdirSync(`/proc/${this.pid}/fd`).length });
  }

  /** Resident bytes. */
  memory() {
    const status = fs.readFileSync(`/proc/${this.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+)/.exec(status)[1]) * 1024;
  }

  /** `grown()` of what it gives: by how many MiB the process was larger at most than now, until that is called. */
  watchMemory() {
    const before = this.memory();
    let most = before;
    const look = () => {
      if (this.alive) most = Math.max(most, this.memory());
    };
    const timer = setInterval(look, WATCH_MS);
    return {
      grown() {
        clearInterval(timer);
        return (most - before) / MEBIBYTE;
      },
    };
  }
}

module.exports = { BrokerProcess };
