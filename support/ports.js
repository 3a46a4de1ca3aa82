'use strict';

/**
 * Ports for what is restarted or announced before it listens.
 */

const { once } = require('node:events');
const net = require('node:net');

/** Below what systems hand out by themselves: such a port stays free until it is listened on. */
const FIRST = 12000;
const COUNT = 18000;
let next = (process.pid * 97 + Date.now()) % COUNT;

/** Whether nobody uses this port of 127.0.0.1. */
async function isFree(port) {
  const server = net.createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}

/** A port that nobody listens on. */
async function freePort() {
  for (;;) {
    next = (next + 1) % COUNT;
    const port = FIRST + next;
    if (await isFree(port)) return port;
  }
}

module.exports = { freePort, isFree };
