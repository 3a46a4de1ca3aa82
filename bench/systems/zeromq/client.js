/** zeromq.js, calling side: a dealer; a number of the call travels beside the JSON text. */
'use strict';

const { Dealer } = require('zeromq');
const { serveClient } = require('../../lib/client');

const waiting = new Map();
const queue = [];
let socket;
let calls = 0;
let writing = false;

/** A socket takes one `send` at a time. */
async function write() {
  if (writing) return;
  writing = true;
  while (queue.length > 0) await socket.send(queue.shift());
  writing = false;
}

async function read() {
  for await (const [call, text] of socket) {
    const done = waiting.get(call.toString());
    waiting.delete(call.toString());
    done(null, JSON.parse(text.toString()));
  }
}

serveClient({
  connect({ server }) {
    socket = new Dealer();
    socket.connect(server.endpoint);
    read();
  },
  ask(data, done) {
    const call = String(++calls);
    waiting.set(call, done);
    queue.push([call, JSON.stringify(data)]);
    write();
  },
});
