/** The workers that are measured: an echo that counts what it is told. */
'use strict';

const { Worker } = require('../../..');
const { arrived } = require('../../lib/received');

let live = 0;

class Room extends Worker {
  onCreate() {
    live++;
  }

  onAsk(method, data) {
    if (method === 'work') return spin(data);
    return method === 'who' ? process.pid : data;
  }

  onTell(method) {
    if (method === 'leave') this.destroy({ noRecover: true });
    else arrived();
  }

  onDestroy() {
    live--;
  }
}

/** Keeps the process busy for so many µs. */
function spin(us) {
  const end = performance.now() + us / 1000;
  while (performance.now() < end);
}

/** A class of its own, because a class belongs to one cluster. */
class LocalRoom extends Room {}

/** How many rooms live in this process. */
function liveRooms() {
  return live;
}

module.exports = { Room, LocalRoom, liveRooms };
