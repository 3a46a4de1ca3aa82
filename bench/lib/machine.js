/** What a figure depends on besides the code: machine, versions, load. */
'use strict';

const { execFileSync } = require('node:child_process');
const os = require('node:os');
const path = require('node:path');
const idle = require('timers/promises').setTimeout;

/** Facts for the results file; what cannot be found out is left out. */
function facts() {
  const cpus = os.cpus();
  return {
    cpu: cpus[0]?.model,
    cores: cpus.length,
    memoryMiB: Math.round(os.totalmem() / 2 ** 20),
    system: `${os.type()} ${os.release()} ${os.arch()}`,
    node: process.version,
    v8: process.versions.v8,
    moleculer: versionOf('moleculer/package.json'),
    dworker: versionOf(path.join(__dirname, '../../package.json')),
    commit: commit(),
    load: load(),
  };
}

/** The machine's load average over a minute: above its idle value somebody else is using the cores. */
function load() {
  return os.loadavg()[0];
}

/** Which part of all cores is in use right now, 0 to 1, looked at for half a second. */
async function busy() {
  const before = ticks();
  await idle(500);
  const after = ticks();
  return 1 - (after.idle - before.idle) / (after.all - before.all);
}

function ticks() {
  const times = os.cpus().map((cpu) => cpu.times);
  const sum = (values) => values.reduce((a, b) => a + b);
  return { idle: sum(times.map((time) => time.idle)), all: sum(times.flatMap((time) => Object.values(time))) };
}

function versionOf(manifest) {
  try {
    return require(manifest).version;
  } catch {
    return undefined;
  }
}

function commit() {
  try {
    const git = (...args) => execFileSync('git', args, { cwd: __dirname, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return git('rev-parse', '--short', 'HEAD').trim() + (git('status', '--porcelain') ? ' with changes' : '');
  } catch {
    return undefined;
  }
}

module.exports = { facts, load, busy };
