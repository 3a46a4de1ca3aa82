'use strict';

/** Connections that say what no honest peer says. */

const net = require('node:net');
const { hello, proof, split } = require('./protocol');

/** How long a connection that says too little is kept: the broker cuts it after three seconds by itself. */
const HALF_MS = 20;

function connect(port) {
  const socket = net.connect(port, '127.0.0.1');
  // The broker ends it when it likes.
  socket.on('error', () => {});
  return socket;
}

/** Unlike `once` of `node:events`, not rejected by an error: broken connections are the point here. */
function next(socket, event) {
  return new Promise((resolve) => {
    socket.once(event, resolve);
  });
}

function closing(socket) {
  return next(socket, 'close').then(() => undefined);
}

/** Says `bytes` on a connection of its own; resolves with the number of frames that came back after a hello. */
async function throwAt(port, bytes) {
  const socket = connect(port);
  let answer = Buffer.alloc(0);
  socket.on('data', (data) => (answer = Buffer.concat([answer, data])));
  const closed = closing(socket);
  socket.write(bytes);
  const patience = setTimeout(() => socket.destroy(), HALF_MS);
  await closed;
  clearTimeout(patience);
  return letIn(answer);
}

/** Whether a proof is among what was answered: the responder proves nothing to whom did not prove first. */
function letIn(answer) {
  return split(answer).frames.some((frame) => frame[4] === 2);
}

/** A connection whose handshake succeeded, and the frames that were said in it. */
async function proveTo(port, { ns, secret, broker }) {
  const socket = connect(port);
  const closed = closing(socket);
  const said = [hello({ ns, broker })];
  socket.write(said[0]);
  let heard = Buffer.alloc(0);
  for (let frames = []; ; ) {
    const data = await Promise.race([next(socket, 'data'), closed]);
    if (data === undefined) return null;
    heard = Buffer.concat([heard, data]);
    ({ frames, rest: heard } = split(heard));
    for (const frame of frames) {
      if (frame[4] === 1) {
        said.push(proof(secret, said[0].subarray(4), frame));
        socket.write(said[1]);
      } else if (frame[4] === 2) {
        return { socket, said };
      } else {
        socket.destroy();
        return null;
      }
    }
  }
}

/** Says all of `frames` to who reads them, then `last`, and waits until the broker has had enough. */
async function pester(socket, frames, last) {
  const closed = closing(socket);
  socket.resume();
  for (const frame of frames) {
    if (socket.destroyed) break;
    if (!socket.write(frame)) await Promise.race([next(socket, 'drain'), closed]);
  }
  socket.end(last);
  await closed;
}

module.exports = { throwAt, proveTo, pester };
