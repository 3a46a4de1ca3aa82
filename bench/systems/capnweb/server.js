/** Cap'n Web over a WebSocket, receiving side. */
'use strict';

const { once } = require('node:events');
const { WebSocket, WebSocketServer } = require('ws');

globalThis.WebSocket ??= WebSocket; // Node 20 has none of its own, and Cap'n Web reads its constants

const { RpcTarget, newWebSocketRpcSession } = require('capnweb');
const { serve } = require('../../lib/serve');

class Echo extends RpcTarget {
  echo(data) {
    return data;
  }
}

serve({
  async start() {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
    server.on('connection', (socket) => newWebSocketRpcSession(socket, new Echo()));
    await once(server, 'listening');
    return { port: server.address().port };
  },
});
