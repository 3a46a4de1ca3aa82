'use strict';

const { after, before, describe } = require('node:test');
const { Broker } = require('../..');
const { atEnd } = require('./cleanup');
const { startRedis } = require('../../support/redis-server');

let systems = 0;

/**
 * One system of brokers for one test, apart from all others; its brokers are destroyed when the test ends.
 */
class System {
  constructor(t, option) {
    this.option = option;
    this.brokers = [];
    atEnd(t, () => this.close());
  }

  /** A broker that is not started. */
  broker(id, { classes = [], ...option } = {}) {
    const broker = new Broker(id, { ...this.option, ...option });
    for (const WorkerClass of classes) broker.registerWorker(WorkerClass);
    this.brokers.push(broker);
    return broker;
  }

  /** A broker that is ACTIVE. */
  async start(id, option) {
    const broker = this.broker(id, option);
    await broker.start();
    return broker;
  }

  async close() {
    for (const broker of this.brokers) {
      if (broker.state === Broker.State.ACTIVE) await broker.destroy({ noRecover: true });
      broker.quit();
    }
  }
}

/**
 * Runs the same tests on the embedded coordinator and on a private Redis: `define((t) => System)`.
 */
function onEachCoordinator(define) {
  describe('on memory://', () => define(memorySystem));
  onRedis(define);
}

/** Runs tests on a private Redis: `define((t) => System, () => RedisServer)`. */
function onRedis(define) {
  describe('on Redis', () => {
    let server;
    before(async () => {
      server = await startRedis();
    });
    after(() => server.stop());
    define(
      (t) => new System(t, { redis: server.url, ns: `t${(systems += 1)}` }),
      () => server
    );
  });
}

/** A system on an embedded coordinator of its own. */
function memorySystem(t) {
  systems += 1;
  return new System(t, { redis: `memory://t${systems}` });
}

module.exports = { onEachCoordinator, onRedis, memorySystem };
