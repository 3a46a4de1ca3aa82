'use strict';

const { once } = require('node:events');
const net = require('node:net');

/**
 * A TCP proxy in front of a server on this host whose answers arrive late, as those of a server that is not next door.
 */
class LateRedis {
  /**
   * @param {number} port of the server
   * @param {number} delay ms that every answer is held back; may be changed at any time
   */
  static async start(port, delay) {
    const proxy = new LateRedis(port, delay);
    proxy.server.listen(0, '127.0.0.1');
    await once(proxy.server, 'listening');
    return proxy;
  }

  constructor(port, delay) {
    this.port = port;
    this.delay = delay;
    this.sockets = new Set();
    this.server = net.createServer((near) => this.accept(near));
  }

  /** Called with what a client sends; for tests to replace. */
  asked() {}

  get url() {
    return `redis://127.0.0.1:${this.server.address().port}`;
  }

  accept(near) {
    const far = net.connect({ port: this.port, host: '127.0.0.1', noDelay: true });
    near.setNoDelay(true);
    near.on('data', (bytes) => this.asked(bytes));
    near.pipe(far);
    far.on('data', (bytes) => {
      if (this.delay === 0) near.write(bytes);
      else setTimeout(() => near.writable && near.write(bytes), this.delay);
    });
    for (const socket of [near, far]) {
      this.sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        this.sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
  }

  close() {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }
}

module.exports = { LateRedis };
