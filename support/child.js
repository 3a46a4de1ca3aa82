'use strict';

/**
 * Processes of our own that are called: a call is a message `{call, name, args}`, its answer `{call, value}` or
 * `{call, error: {name, message, code, delivered}}`.
 */

const { fork } = require('node:child_process');
const { once } = require('node:events');

/** A Node.js process that runs `answerCalls`. */
class Child {
  /**
   * @param {string} file
   * @param {string[]} [args]
   * @param {object} [options] of `fork`, and `name`: what errors call it; by default the child's output is ours
   */
  constructor(file, args = [], { name = file, ...options } = {}) {
    this.name = name;
    this.calls = new Map();
    this.last = 0;
    this.process = fork(file, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], ...options });
    this.announced = once(this.process, 'message');
    this.announced.catch(() => {});
    /** Resolves with the exit code, or the name of the signal that ended the process. */
    this.ended = new Promise((resolve) => {
      this.process.once('exit', (code, signal) => resolve(signal ?? code));
      this.process.once('error', resolve);
    });
    this.ended.then((how) => this.fail(new Error(`${name} ended (${typeof how === 'number' ? `exit code ${how}` : how})`)));
    this.process.on('message', (answer) => this.settle(answer));
  }

  get pid() {
    return this.process.pid;
  }

  get isOver() {
    return this.process.exitCode !== null || this.process.signalCode !== null;
  }

  /** Resolves when the child takes calls. */
  async ready() {
    await this.announced;
  }

  /** Runs an operation of the child. */
  call(name, ...args) {
    return new Promise((resolve, reject) => {
      if (this.isOver || !this.process.connected) {
        reject(new Error(`${this.name} has ended`));
        return;
      }
      this.last += 1;
      const call = this.last;
      this.calls.set(call, { resolve, reject });
      this.process.send({ call, name, args }, (error) => error && this.settle({ call, error }));
    });
  }

  settle({ call, value, error }) {
    const waiting = this.calls.get(call);
    this.calls.delete(call);
    if (waiting === undefined) return;
    if (error) waiting.reject(Object.assign(new Error(error.message), error));
    else waiting.resolve(value);
  }

  fail(error) {
    for (const { reject } of this.calls.values()) reject(error);
    this.calls.clear();
  }

  /** SIGSTOP: it does nothing until it goes on or is killed. */
  freeze() {
    this.process.kill('SIGSTOP');
  }

  /** kill -9 */
  async kill() {
    if (!this.isOver) this.process.kill('SIGKILL');
    await this.ended;
  }

  /** Lets go of the child, which then ends by itself if nothing else keeps it; kills it after `limit` ms. */
  async release(limit = 5000) {
    if (this.process.connected) this.process.disconnect();
    const timer = setTimeout(() => this.process.kill('SIGKILL'), limit);
    const how = await this.ended;
    clearTimeout(timer);
    return how;
  }
}

/** In the child: runs the operations that are called, and says that it is ready. */
function answerCalls(operations) {
  process.on('message', async ({ call, name, args }) => {
    const answer = await outcome(operations, name, args);
    if (process.connected) process.send({ call, ...answer });
  });
  process.send({ ready: true });
}

async function outcome(operations, name, args) {
  try {
    return { value: await operations[name](...args) };
  } catch (error) {
    const { message, code, delivered } = error;
    return { error: { name: error.name, message, code, delivered } };
  }
}

module.exports = { Child, answerCalls };
