/** Cap'n Web over a WebSocket, calling side. */
'use strict';

const { once } = require('node:events');
const { WebSocket } = require('ws');

globalThis.WebSocket ??= WebSocket; // Node 20 has none of its own, and Cap'n Web reads its constants

const { newWebSocketRpcSession } = require('capnweb');
const { serveClient } = require('../../lib/client');

let stub;

serveClient({
  async connect({ server }) {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}`, { perMessageDeflate: false });
    await once(socket, 'open');
    stub = newWebSocketRpcSession(socket);
  },
  ask(data, done) {
    stub.echo(data).then((answer) => done(null, answer), done);
  },
});
