/** The driver's side of the line: a system's process, from its start to its end. */
'use strict';

const { Child } = require('../../support/child');

const CALL_TIMEOUT = 60000; // ms; the longest operation is a window of seconds

/** Starts `file` as a process of its own: `{pid, call(op, args), stop(), kill()}`. Its output goes to stderr. */
function launch(file, { execArgv = [], folder } = {}) {
  const env = folder ? { ...process.env, DWORKER_BENCH_BUILD: folder } : process.env;
  const child = new Child(file, [], { execArgv, env, stdio: ['ignore', 2, 2, 'ipc'] });
  let killed = false;

  async function call(op, args, timeout = CALL_TIMEOUT) {
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${file}: ${op} took longer than ${timeout} ms`)), timeout);
    });
    try {
      return await Promise.race([child.call(op, args ?? {}), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Lets it end by itself; an end other than exit code 0 or our own kill is told on stderr. */
  async function stop() {
    const how = await child.release();
    if (how !== 0 && !killed) console.error(`${file} ended with ${how}`);
  }

  /** kill -9; returns the time right before the signal was sent: process.hrtime in ns, as a string. */
  function kill() {
    killed = true;
    const before = process.hrtime.bigint();
    void child.kill();
    return String(before);
  }

  return { pid: child.pid, call, stop, kill };
}

module.exports = { launch };
