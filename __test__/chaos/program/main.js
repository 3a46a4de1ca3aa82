'use strict';

/**
 * A process with one or more brokers under test. Its driver calls operations on each of them; what happens to a broker goes into its
 * history.
 */

const fs = require('node:fs');
const path = require('node:path');
const { Broker, Agent } = require('../../..');
const { History, now } = require('../history');
const { answerCalls } = require('../../../support/child');
const { seeded } = require('../../../support/random');
const { Load } = require('./load');
const { classes } = require('./workers');

const BEAT_MS = 10;
/**
 * A beat that comes later than this was held up: by a stopped process, a busy loop or a busy machine. So was a thread that waited so
 * long for a processor.
 */
const STALL_MS = 25;

const { brokers, directory } = JSON.parse(process.argv[2]);

/** A broker with its history, and the operations on it. */
class Member {
  constructor({ id, name, option, file, seed }) {
    const history = new History(path.join(directory, file));
    history.write('process', { broker: id, pid: process.pid });
    const broker = new Broker(id, option);
    for (const WorkerClass of classes(history)) broker.registerWorker(WorkerClass);
    broker.on('state', (from, to) => history.write('state', { from, to }));
    broker.on('suspended', () => history.write('suspended'));
    broker.on('resumed', () => history.write('resumed'));
    broker.on('brokerDead', (dead) => history.write('brokerDead', { dead }));
    broker.on('workerLost', ({ id: worker, reason }) => history.write('workerLost', { id: worker, reason: String(reason) }));
    broker.on('log', ({ level, message }) => level !== 'debug' && history.write('log', { level, message }));
    this.history = history;
    this.operations = operationsOn(broker, history, new Load(broker, history, seeded(seed), name));
  }
}

const members = brokers.map((broker) => new Member(broker));

/** Since when the event loop works without a pause: what is due then waits for its turn. */
class Busy {
  constructor() {
    this.last = performance.eventLoopUtilization();
  }

  /** Whether the event loop had less than a tenth of the time left since the last look. */
  look() {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, this.last);
    this.last = now;
    return utilization > 0.9;
  }
}

/** How long the threads of this process were ready to run and got no processor (Linux; elsewhere 0), ms. */
class Starved {
  constructor() {
    this.waited = new Map();
    this.look();
  }

  /** The longest that any thread waited since the last look. */
  look() {
    let longest = 0;
    for (const thread of list('/proc/self/task')) {
      const waited = Number(read(`/proc/self/task/${thread}/schedstat`).split(' ')[1]) / 1e6 || 0;
      longest = Math.max(longest, waited - (this.waited.get(thread) ?? waited));
      this.waited.set(thread, waited);
    }
    return longest;
  }
}

function list(folder) {
  try {
    return fs.readdirSync(folder);
  } catch {
    return [];
  }
}

function read(file) {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

const busy = new Busy();
const starved = new Starved();
let beat = now();
setInterval(() => {
  const time = now();
  if (time - beat > STALL_MS) writeAll('stall', beat, time);
  const from = Math.min(busy.look() ? beat : time, starvedSince(time));
  if (from < time) writeAll('held up', from, time);
  beat = time;
}, BEAT_MS).unref();

function writeAll(what, from, to) {
  for (const { history } of members) history.write(what, { from, to });
}

function starvedSince(time) {
  const waited = starved.look();
  return waited > STALL_MS ? time - waited : time;
}

function operationsOn(broker, history, load) {
  return {
    start: () => broker.start(),
    destroy: (given) => broker.destroy(given),
    create: (plan) => load.create(plan),
    find: async (worker) => (await broker.findWorker(worker)) !== null,
    ask: (worker, method, data) => load.ask(worker, method, data),
    /** Asks each of them until it answers, and tells when it did. */
    sweep: (ids, timeout) => load.sweep(ids, timeout),
    probe: (ids) => load.probe(ids),
    load: (plan) => load.start(plan),
    stopLoad: () => load.stop(),
    flood: (plan) => load.flood(plan),
    block: (ms) => {
      const end = now() + ms;
      history.write('blocked', { ms });
      while (now() < end);
    },
    tell: (worker, method) => load.send(worker, 'tell', method),
    endWorker: (worker) => new Agent(worker, broker).tell('end'),
    memory: () => {
      if (globalThis.gc) globalThis.gc();
      return process.memoryUsage();
    },
    exit: (code) => setImmediate(() => process.exit(code)),
    crash: () => setImmediate(() => {
      throw new Error('crash');
    }),
  };
}

// A driver that died leaves nobody behind.
process.on('disconnect', () => process.exit(0));
const names = Object.keys(members[0].operations);
answerCalls(Object.fromEntries(names.map((name) => [name, (number, ...args) => members[number].operations[name](...args)])));
