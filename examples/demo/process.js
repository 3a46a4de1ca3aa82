'use strict';

/** A broker of the demo in a process of its own: runs what the parent sends, and ends with the parent. */

const { Member } = require('./member');

const [id, options] = process.argv.slice(2);
const member = new Member(id, JSON.parse(options));

function orphaned() {
  process.exit(1);
}

process.on('message', async ({ call, method, args }) => {
  try {
    const value = await member[method](...args);
    // A broker that has left ends by itself: nothing must hold its process.
    if (method === 'stop') process.off('disconnect', orphaned);
    process.send({ call, value });
  } catch (error) {
    process.send({ call, error: error.message });
  }
});
// The parent is gone: nobody would tell this broker to leave.
process.on('disconnect', orphaned);
// Ctrl-C reaches every process of the terminal; the parent says when to end.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});
