'use strict';

const { once } = require('node:events');
const net = require('node:net');
const { atEnd } = require('./cleanup');

/**
 * A TCP proxy that can swallow everything, as a host that vanished or a cable that was cut: nothing is closed, nothing
 * arrives, new connections get no answer.
 */
class BlackHole {
  /** In front of `target`, a port of this host. */
  static async start(t, target) {
    const proxy = new BlackHole(target);
    proxy.server.listen(0, '127.0.0.1');
    await once(proxy.server, 'listening');
    atEnd(t, () => proxy.close());
    return proxy;
  }

  constructor(target) {
    this.target = target;
    this.open = true;
    this.sockets = new Set();
    this.server = net.createServer((socket) => this.take(socket));
  }

  get port() {
    return this.server.address().port;
  }

  take(near) {
    this.keep(near);
    if (!this.open) return;
    const far = net.connect(this.target, '127.0.0.1');
    this.keep(far);
    const ends = [near, far];
    for (const [from, to] of [ends, [...ends].reverse()]) {
      from.on('data', (bytes) => this.open && to.write(bytes));
      from.on('close', () => this.open && to.destroy());
    }
  }

  keep(socket) {
    this.sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('close', () => this.sockets.delete(socket));
  }

  swallow() {
    this.open = false;
  }

  /** Connections that were swallowed stay dead; new ones work. */
  heal() {
    this.open = true;
    for (const socket of this.sockets) socket.destroy();
  }

  close() {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }
}

module.exports = { BlackHole };
