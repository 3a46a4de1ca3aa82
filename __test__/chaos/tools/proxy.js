'use strict';

/**
 * A TCP proxy that spoils what goes through it.
 */

const { once } = require('node:events');
const net = require('node:net');
const { setTimeout: sleep } = require('node:timers/promises');

const STEP_MS = 20;

class Proxy {
  constructor(port, host = '127.0.0.1') {
    Object.assign(this, { target: { port, host }, pairs: new Set(), server: net.createServer((client) => this.accept(client)) });
    /** ms that each piece waits; bytes a second, 0: any; bytes are read and thrown away; one byte of each piece is changed */
    Object.assign(this, { delay: 0, rate: 0, hole: false, corrupt: false, filter: undefined, held: undefined });
  }

  async listen() {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = this.server.address().port;
    return this;
  }

  accept(client) {
    const server = net.connect({ ...this.target, noDelay: true });
    client.setNoDelay(true);
    const pair = [client, server];
    this.pairs.add(pair);
    this.forward(client, server, 'up', pair);
    this.forward(server, client, 'down', pair);
    for (const socket of pair) {
      socket.on('error', () => {});
      socket.on('close', () => {
        // A lost network closes nothing, and what was sent before may still arrive.
        if (!this.hole && this.held === undefined) this.drop(pair);
      });
    }
  }

  async forward(from, to, direction, pair) {
    try {
      for await (const piece of from) {
        if (this.held !== undefined) await this.held;
        if (this.hole) continue;
        if (this.delay > 0) await sleep(this.delay);
        await this.send(this.spoil(piece, direction, pair), to);
      }
      if (!this.hole) to.end();
    } catch {
      // Closed by either side.
    }
  }

  async send(bytes, to) {
    if (this.rate === 0) {
      if (!to.write(bytes)) await once(to, 'drain');
      return;
    }
    const step = Math.max(1, Math.floor((this.rate * STEP_MS) / 1000));
    for (let at = 0; at < bytes.length; at += step) {
      to.write(bytes.subarray(at, at + step));
      await sleep(STEP_MS);
    }
  }

  /** Everything arrives, but not before the returned function is called. */
  hold() {
    let release;
    this.held = new Promise((resolve) => {
      release = () => {
        this.held = undefined;
        resolve();
      };
    });
    return release;
  }

  spoil(piece, direction, pair) {
    if (this.filter !== undefined) return this.filter(piece, direction, pair);
    if (!this.corrupt) return piece;
    const copy = Buffer.from(piece);
    copy[copy.length >> 1] ^= 0x55;
    return copy;
  }

  drop(pair) {
    this.pairs.delete(pair);
    for (const socket of pair) socket.destroy();
  }

  /** Ends all connections by RST. */
  reset() {
    for (const pair of this.pairs) {
      for (const socket of pair) socket.resetAndDestroy();
      this.pairs.delete(pair);
    }
  }

  /** Lost connections end now: bytes of theirs are missing. */
  mend() {
    if (this.hole) this.reset();
    Object.assign(this, { delay: 0, rate: 0, hole: false, corrupt: false });
  }

  close() {
    this.server.close();
    for (const pair of this.pairs) this.drop(pair);
  }
}

/** Options of a broker that others reach through `proxies[n]`. */
async function behindProxy(world, proxies, freePort) {
  const port = await freePort();
  const proxy = await new Proxy(port).listen();
  proxies.push(proxy);
  world.undo.push(() => proxy.close());
  return { listen: { host: '127.0.0.1', port }, advertise: { host: '127.0.0.1', port: proxy.port } };
}

module.exports = { Proxy, behindProxy };
