'use strict';

/** The worker class of the demo: a chat room that remembers what was said in it. */

const { Worker } = require('../..');

class Room extends Worker {
  constructor(id, broker, attributes) {
    super(id, broker, attributes);
    this.home = broker;
    this.lines = [];
  }

  async onCreate({ cause }) {
    this.recovered = cause === Worker.CreateCause.RECOVERY;
    Room.of(this.home).add(this.id);
  }

  async onTell(method, line) {
    if (method === 'say') this.lines.push(line);
  }

  async onAsk(method) {
    if (method === 'history') return this.lines;
    if (method === 'describe') {
      const { id, home, attributes, recovered, lines } = this;
      return { id, broker: home.id, attributes, recovered, heard: lines.length };
    }
    throw new Error(`Room has no method ${method}`);
  }

  async onDestroy() {
    Room.of(this.home).delete(this.id);
  }

  /** The ids of the rooms that live on a broker of this process. */
  static of(broker) {
    if (!Room.rooms.has(broker)) Room.rooms.set(broker, new Set());
    return Room.rooms.get(broker);
  }
}
Room.rooms = new Map();

module.exports = { Room };
