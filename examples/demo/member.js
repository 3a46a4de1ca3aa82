'use strict';

/** One broker of the demo, and what it is asked to do. The same in a process of its own and beside others. */

const { Broker } = require('../..');
const { Room } = require('./room');

/** Asks that are in flight at once in `rush`. */
const IN_FLIGHT = 64;
/** Pause between two looks for a room that is not back yet. */
const RETRY_MS = 20;

const pause = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });

class Member {
  constructor(id, options) {
    this.broker = new Broker(id, options);
    this.broker.on('log', ({ level, message }) => {
      if (level === 'error' || process.env.DEMO_LOG) console.error(`[${id}] ${level}: ${message}`);
    });
    this.broker.registerWorker(Room);
    this.agents = new Map();
  }

  async start() {
    await this.broker.start();
    return process.pid;
  }

  /** Creates rooms at once; the cluster decides where. */
  async create(count) {
    const agents = await Promise.all(Array.from({ length: count }, (_, n) => this.broker.createWorker('Room', {
      attributes: { recoverable: true, topic: `topic ${n + 1} – ünïcode`, seats: [], price: 0.1, serial: '12345678901234567890' },
    })));
    for (const agent of agents) this.agents.set(agent.id, agent);
    return agents.map(({ id }) => id);
  }

  async say(line) {
    await Promise.all([...this.agents.values()].map((agent) => agent.tell('say', line)));
  }

  async history(id) {
    return this.agents.get(id).ask('history');
  }

  async describeAll() {
    return Promise.all([...this.agents.values()].map((agent) => agent.ask('describe')));
  }

  /** Many asks over all rooms, some at a time; the milliseconds that they took. */
  async rush(count) {
    const agents = [...this.agents.values()];
    let next = 0;
    const began = performance.now();
    await Promise.all(Array.from({ length: IN_FLIGHT }, async () => {
      while (next < count) await agents[next++ % agents.length].ask('history');
    }));
    return performance.now() - began;
  }

  /** Waits until each room answers from another broker than the lost one; what it says, and when it did. */
  async returned(ids, lost, deadline) {
    return Promise.all(ids.map(async (id) => {
      let last = 'no answer yet';
      while (Date.now() < deadline) {
        try {
          const agent = await this.broker.findWorker(id);
          const room = agent && await agent.ask('describe');
          if (room && room.broker !== lost) return { ...room, at: Date.now() };
        } catch (error) {
          last = error.message;
        }
        await pause(RETRY_MS);
      }
      throw new Error(`${id} did not come back: ${last}`);
    }));
  }

  /** The rooms that live here. */
  async hosted() {
    return [...Room.of(this.broker)];
  }

  async stop() {
    await this.broker.destroy({ noRecover: true });
    await this.broker.quit();
  }
}

module.exports = { Member };
