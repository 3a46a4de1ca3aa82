'use strict';

const { fork } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');
const { atEnd } = require('./cleanup');

const PROGRAM = path.join(__dirname, '..', 'fixtures', 'member.js');

/**
 * A broker in a process of its own (`fixtures/member.js`). Its operations are methods: `member.call('ask', id, 'echo', 1)`.
 */
class Member {
  /** Starts the process and its broker; both end when the test does. */
  static async start(t, id, option, classes = ['Room']) {
    const member = new Member(id, option, classes);
    atEnd(t, () => member.kill());
    await once(member.child, 'message');
    member.child.on('message', (answer) => member.settle(answer));
    await member.call('start');
    return member;
  }

  constructor(id, option, classes) {
    this.id = id;
    this.calls = new Map();
    this.last = 0;
    this.child = fork(PROGRAM, [JSON.stringify({ id, option, classes })], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.ended = once(this.child, 'exit');
    this.ended.then(() => {
      for (const { reject } of this.calls.values()) reject(new Error(`The process of broker ${id} has ended`));
    });
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

  /** kill -9 */
  async kill() {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGKILL');
    await this.ended;
  }

  /** Lets the process end by itself, and gives its exit code. */
  async end() {
    this.child.send({ call: 0, name: 'release', args: [] });
    const [code] = await this.ended;
    return code;
  }
}

module.exports = { Member };
