'use strict';

const { fork } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');

const FIXTURES = path.join(__dirname, '..', 'fixtures');

/**
 * A program of `__test__/fixtures` in a process of its own, whose operations are called by messages.
 */
class OperatedProcess {
  /**
   * @param {string} program a file of `__test__/fixtures`
   * @param {string} name for errors
   * @param {string[]} args
   */
  constructor(program, name, args) {
    this.calls = new Map();
    this.last = 0;
    this.child = fork(path.join(FIXTURES, program), args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.ended = once(this.child, 'exit');
    this.ended.then(() => {
      for (const { reject } of this.calls.values()) reject(new Error(`The process of ${name} has ended`));
    });
  }

  /** Resolves when the program takes calls. */
  async ready() {
    await once(this.child, 'message');
    this.child.on('message', (answer) => this.settle(answer));
  }

  get pid() {
    return this.child.pid;
  }

  call(name, ...args) {
    this.last += 1;
    const call = this.last;
    return new Promise((resolve, reject) => {
      this.calls.set(call, { resolve, reject });
      this.child.send({ call, name, args }, (error) => error && reject(error));
    });
  }

  settle({ call, value, error }) {
    const { resolve, reject } = this.calls.get(call);
    this.calls.delete(call);
    if (error) reject(Object.assign(new Error(error.message), error));
    else resolve(value);
  }

  /** SIGSTOP: it does nothing until it is killed. */
  freeze() {
    this.child.kill('SIGSTOP');
  }

  /** kill -9 */
  async kill() {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGKILL');
    await this.ended;
  }
}

module.exports = { OperatedProcess };
