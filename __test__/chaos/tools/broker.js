'use strict';

/**
 * Broker processes (`program/main.js`) as their driver sees them.
 */

const fs = require('node:fs');
const path = require('node:path');
const { Child } = require('../../../support/child');
const { killWithUs } = require('./cleanup');

const WATCH_MS = 50;
const MEBIBYTE = 1024 * 1024;
const PROGRAM = path.join(__dirname, '..', 'program', 'main.js');

/** A process with one or more brokers, and the operations that are sent to it. */
class Host {
  /**
   * @param {object} given `{brokers, directory, log, wrap, env}`; `brokers`: `{id, name, option, seed}` each; `wrap`: a program and its
   *   arguments that run Node
   */
  constructor({ brokers, directory, log, wrap = [], env = {} }) {
    this.log = log;
    this.brokers = brokers.map((broker) => ({ ...broker, file: `${broker.name}.jsonl` }));
    this.name = brokers.map(({ name }) => name).join(', ');
    for (const { file } of this.brokers) fs.writeFileSync(path.join(directory, file), '');
    this.output = path.join(directory, `${brokers[0].name}.out`);
    const output = fs.openSync(this.output, 'a');
    const [execPath, ...execArgv] = [...wrap, process.execPath, '--expose-gc'];
    this.child = new Child(PROGRAM, [JSON.stringify({ directory, brokers: this.brokers })], {
      name: `The process of ${this.name}`, execPath, execArgv, stdio: ['ignore', output, output, 'ipc'], env: { ...process.env, ...env },
    });
    fs.closeSync(output);
    killWithUs(this.child.process);
    this.alive = true;
    this.ended = this.child.ended.then((how) => this.over(how));
    for (const { id, name } of this.brokers) log.write('spawn', { of: name, broker: id, pid: this.child.pid });
  }

  over(how) {
    this.alive = false;
    const [code, signal] = typeof how === 'number' ? [how, null] : [null, how];
    for (const { name } of this.brokers) this.log.write('exit', { of: name, code, signal });
    return { code, signal };
  }

  async ready() {
    await Promise.race([this.child.ready(), this.ended.then(() => {
      throw new Error(`The process of ${this.name} ended before it was ready: ${this.lastWords()}`);
    })]);
  }

  /** The error that it printed. */
  lastWords() {
    const lines = fs.readFileSync(this.output, 'utf8').split('\n');
    return lines.find((line) => /Error/.test(line)) || lines.at(-1);
  }

  stop() {
    for (const { name } of this.brokers) this.log.write('fault', { what: 'SIGSTOP', of: name });
    process.kill(this.child.pid, 'SIGSTOP');
  }

  continue() {
    process.kill(this.child.pid, 'SIGCONT');
    for (const { name } of this.brokers) this.log.write('fault', { what: 'SIGCONT', of: name });
  }

  /** The process may end from now on. */
  mayEnd() {
    for (const { name } of this.brokers) this.log.write('kill', { of: name });
  }

  async kill() {
    if (!this.alive) return;
    this.mayEnd();
    await this.child.kill();
    await this.ended;
  }
}

/** One broker of a process. What stops or ends the process concerns all brokers in it. */
class BrokerProcess {
  constructor(host, number) {
    const { id, name, file } = host.brokers[number];
    Object.assign(this, { host, number, id, name, file, log: host.log, ended: host.ended });
  }

  get pid() {
    return this.host.child.pid;
  }

  get alive() {
    return this.host.alive;
  }

  async start() {
    await this.host.ready();
    await this.run('start');
    return this;
  }

  /** Runs an operation of the program. */
  run(name, ...args) {
    return this.host.child.call(name, this.number, ...args);
  }

  stop() {
    this.host.stop();
  }

  continue() {
    this.host.continue();
  }

  /** The process may end from now on. */
  mayEnd() {
    this.host.mayEnd();
  }

  async kill() {
    await this.host.kill();
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

module.exports = { BrokerProcess, Host };
