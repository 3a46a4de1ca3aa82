/** A Redis server of the run's own: free port, empty folder, nothing written to disk, gone afterwards. */
'use strict';

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const idle = require('timers/promises').setTimeout;

const START_TIMEOUT = 5000; // ms

/** → `{host, port, version, stop()}` */
async function startRedis(program = 'redis-server') {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dworker-bench-'));
  const port = await freePort();
  const options = ['--port', port, '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'no'];
  const server = spawn(program, options.map(String), { stdio: 'ignore' });
  const ended = new Promise((resolve) => {
    server.once('error', resolve);
    server.once('exit', (code) => resolve(new Error(`${program} ended with ${code}`)));
  });

  async function stop() {
    server.kill('SIGKILL');
    await ended;
    fs.rmSync(folder, { recursive: true, force: true });
  }

  try {
    const version = await Promise.race([ready(port), ended.then((error) => Promise.reject(error))]);
    return { host: '127.0.0.1', port, version, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function freePort() {
  const probe = net.createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}

/** The server's version, as soon as it answers. */
async function ready(port) {
  const deadline = performance.now() + START_TIMEOUT;
  while (performance.now() < deadline) {
    const version = await askVersion(port).catch(() => undefined);
    if (version) return version;
    await idle(20);
  }
  throw new Error(`redis-server on port ${port} did not answer within ${START_TIMEOUT} ms`);
}

async function askVersion(port) {
  const [, version] = await ask(port, 'INFO server', /redis_version:(\S+)/);
  return version;
}

/** Counts from now on what `slowCommands` tells. */
const forgetSlowCommands = ({ port }) => ask(port, 'SLOWLOG RESET', /OK/);

/** How many commands took the server longer than 10 ms (its own default for its log), during which it served nobody. */
async function slowCommands({ port }) {
  const [, count] = await ask(port, 'SLOWLOG LEN', /:(\d+)/);
  return Number(count);
}

/** Sends one command on a connection of its own → the match of `pattern` in the answer. */
function ask(port, command, pattern) {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = net.connect(port, '127.0.0.1', () => socket.write(`${command}\r\n`));
    socket.setEncoding('utf8').once('error', reject).once('close', () => reject(new Error('closed')));
    socket.on('data', (chunk) => {
      text += chunk;
      const found = pattern.exec(text);
      if (!found) return;
      resolve(found);
      socket.destroy();
    });
  });
}

module.exports = { startRedis, forgetSlowCommands, slowCommands };
