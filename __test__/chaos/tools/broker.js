'use strict';

/**
 * A broker process (`program/main.js`) as its driver sees it.
 */

const fs = require('node:fs');
const path = require('node:path');
const { Child } = require('../../../support/child');
const { killWithUs } = require('./cleanup');

const WATCH_MS = 50;
const MEBIBYTE = 1024 * 1024;
const PROGRAM = path.join(__dirname, '..', 'program', 'main.js');

class BrokerProcess {
  /** @param {object} given `{id, name, option, directory, seed, log, wrap, env}`; `wrap`: a program and its arguments that run Node */
  constructor({ id, name, option, directory, seed, log, wrap = [], env = {} }) {
    Object.assign(this, { id, name, log });
    this.file = `${name}.jsonl`;
    fs.writeFileSync(path.join(directory, this.file), '');
    this.output = path.join(directory, `${name}.out`);
    const output = fs.openSync(this.output, 'a');
    const task = JSON.stringify({ id, option, directory, file: this.file, seed });
    const [execPath, ...execArgv] = [...wrap, process.execPath, '--expose-gc'];
    this.child = new Child(PROGRAM, [task], {
      name: `The process of ${name}`, execPath, execArgv, stdio: ['ignore', output, output, 'ipc'], env: { ...process.env, ...env },
    });
    fs.closeSync(output);
    killWithUs(this.child.process);
    this.alive = true;
    this.ended = this.child.ended.then((how) => this.over(how));
    log.write('spawn', { of: name, broker: id, pid: this.pid });
  }

  get pid() {
    return this.child.pid;
  }

  over(how) {
    this.alive = false;
    const [code, signal] = typeof how === 'number' ? [how, null] : [null, how];
    this.log.write('exit', { of: this.name, code, signal });
    return { code, signal };
  }

  async start() {
    await Promise.race([this.child.ready(), this.ended.then(() => {
      throw new Error(`The process of ${this.name} ended before it was ready: ${this.lastWords()}`);
    })]);
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
    return this.child.call(name, ...args);
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
    await this.child.kill();
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
