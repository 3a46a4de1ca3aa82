/** Raw sockets, receiving side: an echo and a sink without any protocol. */
'use strict';

const net = require('node:net');
const { once } = require('node:events');
const { mkdtempSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { serve } = require('../../lib/serve');
const { arrived, reset, received } = require('../../lib/received');

/** The same program measures both kinds of socket: it is started through `systems/unix/server.js` for the other. */
const UNIX = process.env.DWORKER_BENCH_UNIX === '1';

let messageSize = 1;

async function listen(name, onSocket) {
  const path = UNIX && join(mkdtempSync(join(tmpdir(), 'dworker-bench-')), name);
  const server = net.createServer({ noDelay: true }, onSocket).listen(UNIX ? { path } : { port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  return UNIX ? { path } : { port: server.address().port, host: '127.0.0.1' };
}

serve({
  async start() {
    const echo = await listen('echo', (socket) => socket.on('data', (chunk) => socket.write(chunk)));
    let rest = 0;
    const sink = await listen('sink', (socket) => {
      socket.on('data', (chunk) => {
        const bytes = rest + chunk.length;
        rest = bytes % messageSize;
        arrived((bytes - rest) / messageSize);
      });
    });
    return { echo, sink };
  },
  expect({ size }) {
    messageSize = size;
    reset();
  },
  received,
});
