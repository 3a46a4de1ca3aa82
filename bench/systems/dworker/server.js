/** dworker, hosting side: a broker of the cluster 'main' with rooms in it. */
'use strict';

const { Broker } = require('./build');
const { serve } = require('../../lib/serve');
const { reset, received } = require('../../lib/received');
const { Room, OldRoom, AskedRoom, NamedRoom, liveRooms } = require('./rooms');

let broker;
const held = []; // objects for comparison with workers

const SHAPES = {
  /** The least that JavaScript needs to hold what a worker is made of. */
  bare: (id, attributes) => ({ id, broker, attributes }),
  /** The worker's own object, made without the system knowing of it. */
  unplaced: (id, attributes) => new Room(id, broker, attributes),
};

serve({
  async start({ id, ns, redis, options }) {
    broker = new Broker(id, { ns, redis, ...options });
    broker.registerWorker(Room);
    broker.registerWorker(OldRoom);
    broker.registerWorker(AskedRoom);
    broker.registerWorker(NamedRoom);
    await broker.start();
    return { pid: process.pid };
  },
  expect: reset,
  received,
  live: liveRooms,
  hold({ shape, count }) {
    for (let i = 0; i < count; i++) {
      const n = held.length + 1;
      held.push(SHAPES[shape](`Room#${n}`, { static: false, recoverable: false, room: n }));
    }
  },
});
