'use strict';

/** A broker of the demo in a process of its own: runs what the parent calls, and ends with the parent. */

const { answerCalls } = require('../../support/child');
const { Member } = require('./member');

const [id, options] = process.argv.slice(2);
const member = new Member(id, JSON.parse(options));

function orphaned() {
  process.exit(1);
}

// The parent is gone: nobody would tell this broker to leave.
process.on('disconnect', orphaned);
// Ctrl-C reaches every process of the terminal; the parent says when to end.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});

const methods = ['start', 'create', 'say', 'history', 'describeAll', 'rush', 'returned', 'hosted'];
answerCalls({
  ...Object.fromEntries(methods.map((name) => [name, (...args) => member[name](...args)])),
  stop: async () => {
    await member.stop();
    // A broker that has left ends by itself: nothing must hold its process.
    process.off('disconnect', orphaned);
  },
});
