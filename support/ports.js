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

/** A port that nobody listens on. */
async function freePort() {
  for (;;) {
    next = (next + 1) % COUNT;
    const port = FIRST + next;
    const server = net.createServer();
    try {
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
      return port;
    } catch {
      // In use.
    } finally {
      server.close();
    }
  }
}

module.exports = { freePort };
