'use strict';

/**
 * Child processes whose operations are called over IPC: a call is a message `{call, name, args}`, its answer is `{call, value}` or
 * `{call, error: {name, message, code, delivered}}`.
 */

const { fork } = require('node:child_process');

/** How much of a child's stderr is kept for error messages. */
const STDERR_CHARACTERS = 4096;

/** A Node.js process that runs `answerCalls`. */
class Child {
  /**
   * @param {string} file
   * @param {string[]} [args]
   * @param {object} [options] of `fork`, and `name`: what errors call the process. By default its output goes to our own
   */
  constructor(file, args = [], { name = file, ...options } = {}) {
    this.name = name;
    this.calls = new Map();
    this.last = 0;
    this.process = fork(file, args, { stdio: ['ignore', 'inherit', 'pipe', 'ipc'], ...options });
    this.stderr = '';
    this.process.stderr?.setEncoding('utf8').on('data', (text) => this.collectStderr(text));
    /** Resolves with the exit code, or the name of the signal that ended the process, when its output has been read. */
    this.ended = new Promise((resolve) => {
      // Not 'close': a child that we disconnected from emits none.
      this.process.once('exit', (code, signal) => {
        const { stderr } = this.process;
        const end = () => resolve(signal ?? code);
        if (stderr === null || stderr.closed) end();
        else stderr.once('close', end);
      });
      this.process.once('error', resolve);
    });
    this.announced = this.message();
    this.announced.catch(() => {});
    this.ended.then((how) => this.fail(this.endError(how)));
    this.process.on('message', (answer) => this.settle(answer));
  }

  /** Copies the child's stderr to our own, and keeps the end of it for errors. */
  collectStderr(text) {
    process.stderr.write(text);
    this.stderr = (this.stderr + text).slice(-STDERR_CHARACTERS);
  }

  /** The error of a call that the end of the process leaves unanswered. */
  endError(how) {
    const reason = typeof how === 'number' ? `exit code ${how}` : how;
    const stderr = this.stderr.trim();
    return new Error(`${this.name} ended (${reason})${stderr === '' ? '' : `. The end of its stderr:\n${stderr}`}`);
  }

  get pid() {
    return this.process.pid;
  }

  get isOver() {
    return this.process.exitCode !== null || this.process.signalCode !== null;
  }

  /**
   * Resolves with the child's first message, which says that it is ready. Rejects when the process ends before that, for example
   * because it cannot load a module.
   */
  ready() {
    return this.announced;
  }

  /** Resolves with the child's next message. Rejects when the process ends first. */
  message() {
    return new Promise((resolve, reject) => {
      this.process.once('message', resolve);
      this.ended.then((how) => reject(this.endError(how)));
    });
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
    if (call === undefined) return;
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

  /** Sends SIGSTOP: the process stands still until it gets SIGCONT or is killed. */
  freeze() {
    this.process.kill('SIGSTOP');
  }

  /** Sends SIGKILL and waits for the end of the process. */
  async kill() {
    if (!this.isOver) this.process.kill('SIGKILL');
    await this.ended;
  }

  /** Disconnects from the child, which then ends by itself if nothing else keeps it alive; kills it after `limit` ms. */
  async release(limit = 5000) {
    if (this.process.connected) this.process.disconnect();
    const timer = setTimeout(() => this.process.kill('SIGKILL'), limit);
    const how = await this.ended;
    clearTimeout(timer);
    return how;
  }
}

/** Called in the child: reports that it is ready, and runs the operations that the parent calls. */
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
