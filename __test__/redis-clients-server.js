/**
 * A private redis-server for a test: a free port, a Unix socket, a password and a user of its own.
 */
'use strict';

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');

/** Without a colon: redis 2 takes a password from a URL to its first colon alone. */
const PASSWORD = 'p@ss/w%rd';
const USER = { name: 'app', password: 'u$er?#1' };
const START_TRIES = 5;

async function startServer() {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'dworker-clients-'));
  const socket = path.join(directory, 'redis.sock');
  for (let tried = 1; ; tried += 1) {
    const port = await freePort();
    const child = spawn('redis-server', ['-'], { stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.end([
      `port ${port}`, 'bind 127.0.0.1 -::1', `dir ${directory}`, `unixsocket ${socket}`, 'save ""', 'appendonly no',
      `requirepass ${PASSWORD}`, `user ${USER.name} on >${USER.password} ~* &* +@all`,
    ].join('\n'));
    if (await isReady(child)) return { port, socket, stop: () => stop(child, directory) };
    if (tried === START_TRIES) throw new Error('redis-server did not start');
  }
}

/** True once the server says so; false where it ended before, as when another process took the port. */
async function isReady(child) {
  let output = '';
  for await (const chunk of child.stdout.iterator({ destroyOnReturn: false })) {
    output += chunk;
    if (/ready to accept connections (at|unix)/i.test(output)) {
      child.stdout.resume();
      return true;
    }
  }
  return false;
}

async function stop(child, directory) {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }
  fs.rmSync(directory, { recursive: true, force: true });
}

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

module.exports = { startServer, PASSWORD, USER };
