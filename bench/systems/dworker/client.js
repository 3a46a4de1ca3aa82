/** dworker, calling side: a broker of another cluster, so that what it creates is elsewhere. */
'use strict';

const { Broker } = require('./build');
const { serveClient } = require('../../lib/client');
const { flood } = require('../../lib/flood');
const { load } = require('../../lib/load');
const { payload } = require('../../lib/payload');
const { probe } = require('./probe');
const { Room, OldRoom, LocalRoom, AskedRoom, NamedRoom, LocalAskedRoom, LocalNamedRoom } = require('./rooms');

const IN_FLIGHT = 64; // while workers are made that are not measured themselves

let broker;
const REMOTE = 16; // workers that are asked in turn, half of them of each class style

const remotes = [];
let turn = 0;
let local;
let agents = []; // of the workers that a measurement made

const system = {
  async connect({ ns, redis, options }) {
    broker = new Broker('client', { ns, redis, clustername: 'clients', ...options });
    broker.registerWorker(Room, { clustername: 'main' });
    broker.registerWorker(OldRoom, { clustername: 'main' });
    for (const Local of [LocalRoom, LocalAskedRoom, LocalNamedRoom]) broker.registerWorker(Local, { clustername: 'clients' });
    for (const Remote of [AskedRoom, NamedRoom]) broker.registerWorker(Remote, { clustername: 'main' });
    await broker.start();
    for (let i = 0; i < REMOTE; i++) remotes.push(await broker.createWorker(i % 2 === 0 ? 'Room' : 'OldRoom'));
    local = await broker.createWorker('LocalRoom');
  },
  ask(data, done) {
    next().ask('echo', data).then((answer) => done(null, answer), done);
  },
  tell(data, done) {
    next().tell('told', data).then(() => done(), done);
  },
  askLocal(data, done) {
    local.ask('echo', data).then((answer) => done(null, answer), done);
  },
};

/** The worker whose turn it is. */
function next() {
  turn = (turn + 1) % REMOTE;
  return remotes[turn];
}

/** Makes one worker and keeps its agent. */
function create(attributes, done) {
  broker.createWorker('Room', { attributes }).then((agent) => {
    agents.push(agent);
    done();
  }, done);
}

/** An ask of a handler that has to work. */
const work = ({ handlerUs, timeout }) => (done) => {
  remotes[0].ask('work', handlerUs, { timeout }).then(() => done(), done);
};

/** An echo of one worker by `ask`, and of one by a call of its method: `{where, how}`. */
const ECHOES = {
  ask: (agent, data) => (done) => agent.ask('echo', data).then(() => done(), done),
  call: (agent, data) => (done) => agent.call.echo(data).then(() => done(), done),
};

serveClient(system, {
  async echoBy({ className, how, kind, size, seed, ...window }) {
    const agent = await broker.createWorker(className, { static: true });
    return load(ECHOES[how](agent, payload(kind, size, seed)), window);
  },
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
