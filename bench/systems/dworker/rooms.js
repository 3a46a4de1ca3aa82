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

/** A class of its own, because a class belongs to one cluster. */
class LocalRoom extends Room {}

/** How many rooms live in this process. */
function liveRooms() {
  return live;
}

module.exports = { Room, LocalRoom, liveRooms };
