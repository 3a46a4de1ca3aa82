'use strict';

/** The brokers of the demo as their director sees them: call one, cut one off, dismiss all. */

const { fork } = require('node:child_process');
const { join } = require('node:path');

/** How long a broker may take to leave before its process is ended. */
const LEAVE_MS = 4000;

/** A broker in a process of its own. */
class ProcessMember {
  constructor(id, options) {
    this.id = id;
    this.calls = new Map();
    this.count = 0;
    this.child = fork(join(__dirname, 'process.js'), [id, JSON.stringify(options)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.exited = new Promise((resolve) => { this.child.once('exit', resolve); });
    this.child.on('message', ({ call, value, error }) => {
      const { resolve, reject } = this.calls.get(call);
      this.calls.delete(call);
      if (error === undefined) resolve(value);
      else reject(new Error(`${id}: ${error}`));
    });
    this.child.on('error', (error) => this.fail(error));
    this.child.on('exit', (code, signal) => this.fail(new Error(`${id} ended (${signal || `exit code ${code}`})`)));
  }

  fail(error) {
    for (const { reject } of this.calls.values()) reject(error);
    this.calls.clear();
  }

  call(method, ...args) {
    return new Promise((resolve, reject) => {
      this.count += 1;
      this.calls.set(this.count, { resolve, reject });
      this.child.send({ call: this.count, method, args }, (error) => { if (error) reject(error); });
    });
  }

  async cut() {
    this.child.kill('SIGKILL');
    await this.exited;
  }

  /** Leaves in order when it can; true when the process then ended by itself. */
  async dismiss() {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return false;
    const timer = setTimeout(() => this.child.kill('SIGKILL'), LEAVE_MS);
    try {
      await this.call('stop');
      this.child.disconnect();
    } catch {
      this.child.kill('SIGKILL');
    }
    await this.exited;
    clearTimeout(timer);
    return this.child.exitCode === 0;
  }

  abandon() {
    this.child.kill('SIGKILL');
  }
}

/** A broker in this process, for the embedded coordinator, which lives inside one process. */
class LocalMember {
  constructor(id, options) {
    const { Member } = require('./member');
    this.id = id;
    this.member = new Member(id, options);
  }

  async call(method, ...args) {
    return this.member[method](...args);
  }

  async cut() {
    const { crash } = require('../../lib/crash');
    crash(this.member.broker);
    this.gone = true;
  }

  async dismiss() {
    if (!this.gone) await this.member.stop();
    return true;
  }

  abandon() {}
}

module.exports = { LocalMember, ProcessMember };
