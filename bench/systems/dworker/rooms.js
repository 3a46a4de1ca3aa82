/** The workers that are measured: an echo that counts what it is told. */
'use strict';

const { Worker } = require('./build');
const { inherits } = require('node:util');
const { arrived } = require('../../lib/received');

let live = 0;

class Room extends Worker {
  onCreate() {
    live++;
  }

  async onAsk(method, data) {
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

/** The same room as a class of dworker 0.9 is written: a constructor function and callbacks. */
function OldRoom(...args) {
  Worker.apply(this, args);
}

inherits(OldRoom, Worker);

OldRoom.prototype.onAsk = function (method, data, callback) {
  callback(null, method === 'who' ? process.pid : data);
};
OldRoom.prototype.onTell = () => arrived();

/** A class of its own, because a class belongs to one cluster. */
class LocalRoom extends Room {}

/** The same echo by `onAsk` and by a method of its own name, for the measurement that compares the two. */
class AskedRoom extends Worker {
  async onAsk(method, data) {
    return data;
  }
}

class NamedRoom extends Worker {
  static methods = ['echo'];
  async echo(data) {
    return data;
  }
}

class LocalAskedRoom extends AskedRoom {}
class LocalNamedRoom extends NamedRoom {}

/** How many rooms live in this process. */
function liveRooms() {
  return live;
}

module.exports = { Room, OldRoom, LocalRoom, AskedRoom, NamedRoom, LocalAskedRoom, LocalNamedRoom, liveRooms };
