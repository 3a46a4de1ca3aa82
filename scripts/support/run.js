'use strict';

/**
 * Runs other programs so that none of them outlives the script.
 *
 * Each child leads a process group of its own. The group is ended with the script (also on Ctrl-C, SIGTERM, or a lost
 * terminal), and when the leader ends while others of its group live on, that is reported as a leak.
 */

const { spawn, spawnSync } = require('node:child_process');
const { delimiter, join } = require('node:path');
const { accessSync, constants, createWriteStream } = require('node:fs');
const { constants: { signals } } = require('node:os');

/** How long a group gets between SIGTERM and SIGKILL. */
const GRACE_MS = 3000;
/** How long processes of a finished group may still be on their way out. */
const SETTLE_MS = 2000;
/** How much of a captured output is kept: its end. */
const CAPTURE_BYTES = 4 * 1024 * 1024;

const grouped = process.platform !== 'win32';
const running = new Set();

function signalGroup(pid, signal) {
  try {
    process.kill(grouped ? -pid : pid, signal);
    return true;
  } catch {
    return false;
  }
}

const groupAlive = (pid) => grouped && signalGroup(pid, 0);

const pause = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });

/** Waits until a group is empty; false when it is not within the time. */
async function emptied(pid, milliseconds) {
  const end = Date.now() + milliseconds;
  while (groupAlive(pid)) {
    if (Date.now() > end) return false;
    await pause(20);
  }
  return true;
}

async function endGroup(pid) {
  signalGroup(pid, 'SIGTERM');
  if (!await emptied(pid, GRACE_MS)) signalGroup(pid, 'SIGKILL');
}

let watching = false;
let ending = false;
function watchSignals() {
  if (watching) return;
  watching = true;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, async () => {
      if (ending) return;
      ending = true;
      await Promise.all([...running].map(endGroup));
      process.exit(128 + signals[signal]);
    });
  }
  process.on('exit', () => { for (const pid of running) signalGroup(pid, 'SIGKILL'); });
}

/**
 * Runs a program to its end, its output streamed to ours.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {object} [options]
 * @param {object} [options.env] added to the environment
 * @param {string} [options.cwd]
 * @param {boolean} [options.capture] keep the end of standard output as `output` (still streamed)
 * @param {string} [options.log] a file that gets the whole output instead of the terminal
 * @param {number} [options.timeout] milliseconds until the group is ended
 * @returns {Promise<{code: number, output: string, leaked: boolean, timedOut: boolean, milliseconds: number}>}
 */
async function run(command, args, { env, cwd, capture, log, timeout } = {}) {
  watchSignals();
  const began = Date.now();
  const piped = capture || log;
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', piped ? 'pipe' : 'inherit', log ? 'pipe' : 'inherit'],
    detached: grouped,
  });
  const result = { code: 1, output: '', leaked: false, timedOut: false, milliseconds: 0 };
  const file = log && createWriteStream(log);
  if (piped) {
    child.stdout.setEncoding('utf8').on('data', (text) => {
      result.output = (result.output + text).slice(-CAPTURE_BYTES);
      (file || process.stdout).write(text);
    });
  }
  if (file) child.stderr.on('data', (text) => file.write(text));
  if (child.pid) running.add(child.pid);
  const timer = timeout && setTimeout(() => {
    result.timedOut = true;
    void endGroup(child.pid);
  }, timeout);
  try {
    result.code = await new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', (code, signal) => {
        const ended = () => resolve(code === null ? 128 + signals[signal] : code);
        // A process that the child left behind may hold the pipe: it is not waited for longer than this.
        if (!piped) ended();
        else {
          child.on('close', ended);
          setTimeout(ended, SETTLE_MS).unref();
        }
      });
    });
    result.leaked = !await emptied(child.pid, SETTLE_MS);
    if (result.leaked) await endGroup(child.pid);
  } finally {
    clearTimeout(timer);
    running.delete(child.pid);
    if (file) await new Promise((resolve) => { file.end(resolve); });
    result.milliseconds = Date.now() - began;
  }
  return result;
}

/** Runs a short program silently; its standard output, or null when it fails or is not there. */
function ask(command, args) {
  const { status, stdout } = spawnSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: 10000 });
  return status === 0 ? stdout.trim() : null;
}

/** The path of a program, or null when no folder of PATH has it. */
function which(program) {
  for (const folder of (process.env.PATH || '').split(delimiter)) {
    const path = join(folder || '.', program);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch { /* the next folder */ }
  }
  return null;
}

module.exports = { ask, run, which };
