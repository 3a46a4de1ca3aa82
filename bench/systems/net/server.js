/** Raw sockets, receiving side: an echo and a sink without any protocol. */
'use strict';

const net = require('node:net');
const { once } = require('node:events');
const { serve } = require('../../lib/serve');
const { arrived, reset, received } = require('../../lib/received');

let messageSize = 1;

async function listen(onSocket) {
  const server = net.createServer({ noDelay: true }, onSocket).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server.address().port;
}

serve({
  async start() {
    const echo = await listen((socket) => socket.on('data', (chunk) => socket.write(chunk)));
    let rest = 0;
    const sink = await listen((socket) => {
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
