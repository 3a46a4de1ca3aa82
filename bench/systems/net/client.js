/** Raw sockets, sending side: messages of one size, told apart by counting bytes. */
'use strict';

const net = require('node:net');
const { once } = require('node:events');
const { serveClient } = require('../../lib/client');

let echo;
let sink;
let size = 0;
let bytesBack = 0;
let answer = '';
const RING = 1024; // above the greatest number in flight
const waiting = new Array(RING); // who waits for an answer, oldest first
let asked = 0;
let answered = 0;
const stalled = []; // whose message lies in a full socket buffer

async function open(address) {
  const socket = net.connect({ ...address, noDelay: true });
  await once(socket, 'connect');
  return socket;
}

/** Of one size at a time: `size` bytes back are one answer. Its text is read only where it is checked. */
function onData(chunk) {
  if (answer.length < size) answer += chunk.latin1Slice(0, size - answer.length);
  bytesBack += chunk.length;
  while (bytesBack >= size && answered < asked) {
    bytesBack -= size;
    waiting[answered++ % RING](null, answer);
  }
}

serveClient({
  raw: true,
  async connect({ server }) {
    echo = await open(server.echo);
    sink = await open(server.sink);
    echo.on('data', onData);
    sink.on('drain', () => {
      for (const done of stalled.splice(0)) done();
    });
  },
  ask(data, done) {
    if (data.length !== size) {
      size = data.length;
      answer = '';
    }
    waiting[asked++ % RING] = done;
    echo.write(data, 'latin1');
  },
  tell(data, done) {
    if (sink.write(data, 'latin1')) done();
    else stalled.push(done);
  },
});
