'use strict';

/** Where the state of the demo's cluster lives: a server that is told, a private one, or the process itself. */

const { spawn } = require('node:child_process');
const { mkdtempSync, readFileSync, rmSync } = require('node:fs');
const net = require('node:net');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { removeNamespace, serverVersion } = require('./redis');

const START_MS = 5000;
const ATTEMPTS = 3;

const pause = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });

/** A URL without its password. */
const shown = (url) => url.replace(/\/\/[^@/]*@/, '//');

async function freePort() {
  const server = net.createServer();
  await new Promise((resolve, reject) => { server.once('error', reject).listen(0, '127.0.0.1', resolve); });
  const { port } = server.address();
  await new Promise((resolve) => { server.close(resolve); });
  return port;
}

/** A server of our own in a temporary folder; null when the program is not there. */
async function privateServer() {
  for (let attempt = 1; ; attempt += 1) {
    const folder = mkdtempSync(join(tmpdir(), 'dworker-demo-'));
    const port = await freePort();
    const child = spawn('redis-server', ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--logfile', 'redis.log'],
      { stdio: 'ignore' });
    let ended = null;
    const exited = new Promise((resolve) => {
      child.once('error', (error) => { ended = error; resolve(); });
      child.once('exit', () => { ended = ended || new Error('it ended'); resolve(); });
    });
    const stop = async () => {
      child.kill('SIGKILL');
      await exited;
      rmSync(folder, { recursive: true, force: true });
    };
    const url = `redis://127.0.0.1:${port}`;
    for (const end = Date.now() + START_MS; Date.now() < end && !ended; await pause(20)) {
      const version = await serverVersion(url).catch(() => null);
      if (version && !ended) return { url, version, port, stop };
    }
    let log = '';
    try { log = readFileSync(join(folder, 'redis.log'), 'utf8'); } catch { /* it wrote none */ }
    await stop();
    if (ended?.code === 'ENOENT') return null;
    if (attempt === ATTEMPTS) throw new Error(`redis-server does not start: ${ended?.message || 'no answer'}\n${log}`);
  }
}

/**
 * Chooses the coordinator.
 *
 * @param {string} ns the namespace of the demo
 * @returns {Promise<{url: string, text: string, embedded: boolean, remove: function(): Promise}>} `remove` takes away what the demo
 *   put there
 */
async function chooseCoordinator(ns) {
  const told = process.env.DWORKER_REDIS_URL;
  const remarks = [];
  if (told?.startsWith('memory:')) return embedded('DWORKER_REDIS_URL says so');
  if (told) {
    try {
      const version = await serverVersion(told);
      return { url: told, text: `${version} at ${shown(told)}, told by DWORKER_REDIS_URL`, embedded: false, remove: () => removeNamespace(told, ns) };
    } catch (error) {
      remarks.push(`(DWORKER_REDIS_URL names ${shown(told)}, but no server can be used there: ${error.message})\n`);
    }
  }
  const server = await privateServer();
  if (server) {
    return { url: server.url, text: `${remarks.join('')}${server.version}, a private redis-server on port ${server.port}, started for this demo`, embedded: false, remove: server.stop };
  }
  return embedded('no redis-server program is on the PATH', remarks);
}

function embedded(reason, remarks = []) {
  return {
    url: 'memory://demo',
    text: `${remarks.join('')}memory://, the embedded coordinator (${reason}): three brokers in one process`,
    embedded: true,
    remove: async () => {},
  };
}

module.exports = { chooseCoordinator };
