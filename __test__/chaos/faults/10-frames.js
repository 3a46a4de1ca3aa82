'use strict';

/**
 * Strangers talk to the port of a broker.
 */

const net = require('node:net');
const { freePort } = require('../../../support/ports');
const { sleep } = require('../../../support/wait');
const { now } = require('../history');
const { behindProxy } = require('../tools/proxy');

/** A handshake ends within 3 s. */
const LIMIT_MS = 3700;
const CONNECTIONS = 200;
/** Pieces: the handshake, and calls behind it. */
const RECORDED = 50;
const MEBIBYTE = 1024 * 1024;

/** Connects, lets `talk` say something, and waits for the end: ms, or Infinity. */
async function visit(port, talk) {
  const socket = net.connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.resume();
  // Not events.once: that one rejects where the other side resets.
  const closed = new Promise((resolve) => socket.on('close', () => resolve(now())));
  await Promise.race([new Promise((resolve) => socket.on('connect', resolve)), closed]);
  const time = now();
  talk(socket);
  const end = await Promise.race([closed, sleep(LIMIT_MS + 2000, Infinity)]);
  socket.destroy();
  return end - time;
}

function frame(text) {
  const body = Buffer.from(text);
  const head = Buffer.alloc(4);
  head.writeUInt32BE(body.length);
  return Buffer.concat([head, body]);
}

function loris(socket) {
  const timer = setInterval(() => socket.writable && socket.write('\0'), 150);
  socket.on('close', () => clearInterval(timer));
}

function talks(random, recorded) {
  const noise = Buffer.from(Array.from({ length: 64 * 1024 }, () => random.below(256)));
  const giant = Buffer.concat([Buffer.from([0xff, 0xff, 0xff, 0xff]), Buffer.alloc(MEBIBYTE, 0x41)]);
  const little = Buffer.concat([Buffer.from([0xff, 0xff, 0xff, 0x7f]), Buffer.alloc(MEBIBYTE, 0x41)]);
  return {
    noise: (socket) => socket.write(noise),
    giant: (socket) => socket.write(giant),
    'giant, little-endian': (socket) => socket.write(little),
    null: (socket) => socket.write(frame('null')),
    'original protocol': (socket) => socket.write('{"m":"destroy"}\n'),
    loris,
    silent: () => {},
    replayed: (socket) => recorded.forEach((piece) => socket.write(piece)),
  };
}

/** A broker behind a proxy that keeps what the first of its peers said. */
async function recording(world, proxies) {
  const option = await behindProxy(world, proxies, freePort);
  const proxy = proxies.at(-1);
  proxy.recorded = [];
  proxy.filter = (piece, direction, pair) => {
    if (proxy.first === undefined) proxy.first = pair;
    if (direction === 'up' && pair === proxy.first && proxy.recorded.length < RECORDED) proxy.recorded.push(piece);
    return piece;
  };
  return option;
}

module.exports = {
  number: 10,
  title: 'malformed, giant, null, slow-loris, replayed and unauthenticated frames',
  target: 'process lives, connection closed, 0 accepted, 0 allocation over the limit',
  variants: {
    async strangers(world, figures) {
      const proxies = [];
      await world.redis();
      await world.system({ brokers: 3, recoverable: 120, others: 30, option: () => recording(world, proxies) });
      await world.load(60);
      await sleep(1000);
      const n = world.random.below(3);
      const victim = world.brokers[n];
      const { target: { port }, recorded } = proxies[n];
      const memory = victim.watchMemory();
      const time = world.fault('strangers');
      const slowest = {};
      await Promise.all(Object.entries(talks(world.random, recorded)).map(async ([name, talk]) => {
        slowest[name] = await visit(port, talk);
      }));
      const crowd = Array.from({ length: CONNECTIONS }, () => visit(port, () => {}));
      slowest.crowd = Math.max(...(await Promise.all(crowd)));
      world.heal();
      for (const [name, ms] of Object.entries(slowest)) figures.most(name, ms, LIMIT_MS, 'ms');
      figures.most('grown', memory.grown(), 48, 'MiB');
      // In this order: each call of ours is in its history before its handler starts.
      const begun = world.observer.since(time, 'begin');
      const made = new Set(world.observer.since(0, 'call').map(({ call }) => call));
      figures.least('pieces replayed', recorded.length, 2);
      figures.equal('accepted', begun.filter(({ call }) => !made.has(call)).length, 0);
      figures.equal('alive', victim.alive, true);
      figures.equal('evictions', world.evictions(time), 0);
      return {};
    },
  },
};
