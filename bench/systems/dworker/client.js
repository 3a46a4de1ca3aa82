/** dworker, calling side: a broker of another cluster, so that what it creates is elsewhere. */
'use strict';

const { Broker } = require('../../..');
const { serveClient } = require('../../lib/client');
const { flood } = require('../../lib/flood');
const { load } = require('../../lib/load');
const { probe } = require('./probe');
const { Room, LocalRoom } = require('./rooms');

const IN_FLIGHT = 64; // while workers are made that are not measured themselves

let broker;
let remote;
let local;
let agents = []; // of the workers that a measurement made

const system = {
  async connect({ ns, redis, options }) {
    broker = new Broker('client', { ns, redis, clustername: 'clients', ...options });
    broker.registerWorker(Room, { clustername: 'main' });
    broker.registerWorker(LocalRoom, { clustername: 'clients' });
    await broker.start();
    remote = await broker.createWorker('Room');
    local = await broker.createWorker('LocalRoom');
  },
  ask(data, done) {
    remote.ask('echo', data).then((answer) => done(null, answer), done);
  },
  tell(data, done) {
    remote.tell('told', data).then(() => done(), done);
  },
  askLocal(data, done) {
    local.ask('echo', data).then((answer) => done(null, answer), done);
  },
};

/** Makes one worker and keeps its agent. */
function create(attributes, done) {
  broker.createWorker('Room', { attributes }).then((agent) => {
    agents.push(agent);
    done();
  }, done);
}

/** An ask of a handler that has to work. */
const work = ({ handlerUs, timeout }) => (done) => {
  remote.ask('work', handlerUs, { timeout }).then(() => done(), done);
};

serveClient(system, {
  works: (args) => load(work(args), args),
  flood: (args) => flood(work(args), args),

  creates: (window) => load((done) => create({ room: agents.length }, done), window),

  /** Makes exactly `count` workers; fails when one of them fails. */
  async populate({ count, recoverable }) {
    let rest = count;
    async function some() {
      while (rest-- > 0) {
        await new Promise((resolve, reject) => create({ recoverable, room: agents.length }, (error) => (error ? reject(error) : resolve())));
      }
    }
    await Promise.all(Array.from({ length: IN_FLIGHT }, some));
  },

  /** Lets every worker go that was made for a measurement. */
  async dismiss() {
    const leaving = agents;
    agents = [];
    for (const agent of leaving) await agent.tell('leave');
  },

  /** Asks every worker which process it is in → how many live in each. */
  async who() {
    const places = {};
    for (const agent of agents) {
      const pid = await agent.ask('who');
      places[pid] = (places[pid] ?? 0) + 1;
    }
    return places;
  },

  probe: (args) => probe(agents, args),
});
