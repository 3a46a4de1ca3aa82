'use strict';

/** Brings a fresh clone to the state in which the demo and the tests can run: tools, packages, the addon. */

const { existsSync, readFileSync } = require('node:fs');
const { homedir } = require('node:os');
const { delimiter, join } = require('node:path');
const { install } = require('./debian');
const { ask, run, which } = require('./run');
const { Unmet, clock, say, step } = require('./terminal');

const ROOT = join(__dirname, '..', '..');
const NODE_MAJOR = 20;

/** Cargo and a C linker: what a build needs beside Node. */
async function tools() {
  if (Number(process.versions.node.split('.')[0]) < NODE_MAJOR) {
    throw new Unmet(`Node.js ${NODE_MAJOR} or newer is needed; this is ${process.version}.`);
  }
  if (!which('cargo')) {
    // rustup installs there and leaves PATH to the shell's profile.
    const folder = join(process.env.CARGO_HOME || join(homedir(), '.cargo'), 'bin');
    if (existsSync(join(folder, 'cargo'))) process.env.PATH = `${folder}${delimiter}${process.env.PATH}`;
    else throw new Unmet('Rust is missing: no cargo on the PATH. Install it with rustup (https://rustup.rs), then run this again.');
  }
  if (!which('cc')) {
    step('C linker: not on the PATH, Rust needs one');
    await install('build-essential', 'cc', 'Rust links with `cc`.');
  }
}

/**
 * Installs node_modules where it is missing or differs from package-lock.json. npm keeps a copy of the lock of what it
 * installed; entries for other platforms are in it only when they were installed.
 */
async function packages() {
  const wanted = lockedPackages(join(ROOT, 'package-lock.json'));
  const installed = lockedPackages(join(ROOT, 'node_modules', '.package-lock.json'));
  const stale = !installed || Object.entries(wanted).some(([path, { version, optional, devOptional, link }]) =>
    path !== '' && !link && installed[path]?.version !== version && !((optional || devOptional) && !installed[path]));
  if (!stale) return;
  step(installed ? 'npm packages: package-lock.json has changed, installing' : 'npm packages: installing');
  const { code } = await run('npm', ['ci', '--no-audit', '--no-fund', '--no-update-notifier', '--loglevel=error'], { cwd: ROOT });
  if (code !== 0) throw new Unmet('`npm ci` failed: see above.');
}

function lockedPackages(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).packages : null;
}

/** Builds the release addon; cargo itself knows what is up to date, and shows its progress. */
async function addon() {
  step('Addon: release build (about a minute the first time)');
  const { code, milliseconds } = await run('npm', ['run', '--silent', 'build'], { cwd: ROOT });
  if (code !== 0) throw new Unmet('The build failed: see above.');
  say(`built in ${clock(milliseconds)}`);
}

/**
 * A Redis server program, installed from Debian's packages where there is none.
 *
 * @returns {Promise<string>} its path
 */
async function redisServer() {
  const told = process.env.DWORKER_TEST_SERVER;
  if (told) {
    if (!ask(told, ['--version'])) throw new Unmet(`DWORKER_TEST_SERVER names ${told}, which does not run.`);
    return told;
  }
  const found = which('redis-server');
  if (found) return found;
  step('Redis: no redis-server on the PATH, the tests need one');
  const path = await install('redis-server', 'redis-server', 'The tests start private Redis servers.');
  // Debian starts the service; the tests want the program alone.
  await run('sh', ['-c', 'exec 2>/dev/null; $SUDO service redis-server stop; $SUDO update-rc.d redis-server disable; true'], {
    env: { SUDO: process.getuid() === 0 ? '' : 'sudo -n' },
  });
  return path;
}

module.exports = { ROOT, addon, packages, redisServer, tools };
