/** zeromq.js, receiving side: a router that echoes JSON. */
'use strict';

const { Router } = require('zeromq');
const { serve } = require('../../lib/serve');

serve({
  async start() {
    const socket = new Router();
    await socket.bind('tcp://127.0.0.1:*');
    echo(socket);
    return { endpoint: socket.lastEndpoint };
  },
});

async function echo(socket) {
  for await (const [peer, call, text] of socket) {
    await socket.send([peer, call, JSON.stringify(JSON.parse(text.toString()))]);
  }
}
