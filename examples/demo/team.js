'use strict';

/** The brokers of the demo as their director sees them: call one, cut one off, dismiss all. */

const { join } = require('node:path');
const { Child } = require('../../support/child');

/** How long a broker may take to leave before its process is ended. */
const LEAVE_MS = 4000;

/** A broker in a process of its own. */
class ProcessMember extends Child {
  constructor(id, options) {
    super(join(__dirname, 'process.js'), [id, JSON.stringify(options)], { name: id });
    this.id = id;
  }

  async cut() {
    await this.kill();
  }

  /** Leaves in order when it can; true when the process then ended by itself. */
  async dismiss() {
    if (this.isOver) return false;
    const timer = setTimeout(() => this.kill(), LEAVE_MS);
    try {
      await this.call('stop');
      return await this.release(LEAVE_MS) === 0;
    } catch {
      await this.kill();
      return false;
    } finally {
      clearTimeout(timer);
    }
  }

  abandon() {
    void this.kill();
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
    const { crash } = require('../../lib/runtime/crash');
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
