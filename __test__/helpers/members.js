'use strict';

const { atEnd } = require('./cleanup');
const { OperatedProcess } = require('./operated');

/**
 * A broker in a process of its own (`fixtures/member.js`). Its operations are methods: `member.call('ask', id, 'echo', 1)`.
 */
class Member extends OperatedProcess {
  /** Starts the process and its broker; both end when the test does. */
  static async start(t, id, option, classes = ['Room']) {
    const member = new Member(id, option, classes);
    atEnd(t, () => member.kill());
    await member.ready();
    await member.call('start');
    return member;
  }

  constructor(id, option, classes) {
    super('member.js', `broker ${id}`, [JSON.stringify({ id, option, classes })]);
    this.id = id;
  }

  /** Lets the process end by itself, and gives its exit code. */
  async end() {
    this.child.send({ call: 0, name: 'release', args: [] });
    const [code] = await this.ended;
    return code;
  }
}

module.exports = { Member };
