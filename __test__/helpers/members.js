'use strict';

const path = require('node:path');
const { Child } = require('../../support/child');
const { atEnd } = require('./cleanup');

const PROGRAM = path.join(__dirname, '..', 'fixtures', 'member.js');

/**
 * A broker in a process of its own (`fixtures/member.js`). Its operations are methods: `member.call('ask', id, 'echo', 1)`.
 */
class Member extends Child {
  /** Starts the process and its broker; both end when the test does. */
  static async start(t, id, option, classes = ['Room']) {
    const member = new Member(id, option, classes);
    atEnd(t, () => member.kill());
    await member.ready();
    await member.call('start');
    return member;
  }

  constructor(id, option, classes) {
    super(PROGRAM, [JSON.stringify({ id, option, classes })], { name: `The process of broker ${id}` });
    this.id = id;
  }

  /** Lets the process end by itself, and gives its exit code. */
  end() {
    return this.release();
  }
}

module.exports = { Member };
