/** The driver's side of the line: a system's process, from its start to its end. */
'use strict';

const { fork } = require('node:child_process');

const CALL_TIMEOUT = 60000; // ms; the longest operation is a window of seconds
const STOP_TIMEOUT = 5000; // ms until a process that does not end by itself is killed

/** Starts `file` as a process of its own: `{pid, call(op, args), stop(), kill()}`. Its output goes to stderr. */
function launch(file, { execArgv = [], folder } = {}) {
  const env = folder ? { ...process.env, DWORKER_BENCH_BUILD: folder } : process.env;
  const child = fork(file, { execArgv, env, stdio: ['ignore', 2, 2, 'ipc'] });
  const waiting = new Map();
  let calls = 0;
  let killed = false;
  const exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)));

  child.on('message', ({ call, value, error }) => {
    const settle = waiting.get(call);
    waiting.delete(call);
    if (settle) settle(error, value);
  });
  exited.then((how) => {
    for (const settle of waiting.values()) settle(`${file} ended with ${how} while it was called`);
    waiting.clear();
  });

  function call(op, args, timeout = CALL_TIMEOUT) {
    return new Promise((resolve, reject) => {
      const id = ++calls;
      const timer = setTimeout(() => settle(`${file}: ${op} took longer than ${timeout} ms`), timeout);
      function settle(error, value) {
        clearTimeout(timer);
        waiting.delete(id);
        if (error) reject(new Error(error));
        else resolve(value);
      }
      if (!child.connected) return settle(`${file} is not there any more`);
      waiting.set(id, settle);
      child.send({ call: id, op, args }, (error) => error && settle(String(error)));
    });
  }

  /** Lets it end by itself; an end other than exit code 0 or our own kill is told on stderr. */
  async function stop() {
    if (child.connected) child.disconnect();
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT);
    const how = await exited;
    clearTimeout(timer);
    if (how !== 0 && !killed) console.error(`${file} ended with ${how}`);
  }

  /** kill -9; returns the time right before the signal was sent: process.hrtime in ns, as a string. */
  function kill() {
    killed = true;
    const before = process.hrtime.bigint();
    child.kill('SIGKILL');
    return String(before);
  }

  return { pid: child.pid, call, stop, kill };
}

module.exports = { launch };
