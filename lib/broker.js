/**
 * The public face of a broker.
 */
'use strict';

const { EventEmitter, once } = require('node:events');
const { checkId, optionsObject } = require('./options/arguments');
const { Core, State } = require('./runtime/core');
const { createWorker, findWorker } = require('./runtime/directory');
const { inspect, isPaged, listAll, listBrokers, listPage, readListOption } = require('./runtime/inventory');
const { normalizeBrokerOptions } = require('./options');
const { DESTROY, REGISTER } = require('./options/table');
const { ELSEWHERE } = require('./options/unknown');
const { Bluebird, answer, contextual, nodeify } = require('./base/promises');
const { getWorker } = require('./runtime/get');
const { checkRegistry, clashOf, readRegistration } = require('./runtime/registry');
const { slipsOf } = require('./runtime/slips');
const { kCore, hide } = require('./base/symbols');
const { wallClock } = require('./base/timers');

/**
 * A member of a cluster that workers live in, and the application's way to all workers of the system.
 *
 * Events: `'state'(from, to)`; `'log'({id, level, message})` with level `debug`, `info`, `warn` or `error`;
 * `'workerError'({id, method, error})` when a handler failed that has no caller to answer to.
 *
 * @constructor
 * @param {string} id unique in the whole system
 * @param {object} [option] see docs/reference/options.md and `index.d.ts`
 */
function Broker(id, option) {
  EventEmitter.call(this);
  hide(this, kCore, new Core(this, normalizeBrokerOptions(id, option)));
}

Object.setPrototypeOf(Broker, EventEmitter);
Object.setPrototypeOf(Broker.prototype, EventEmitter.prototype);

/**
 * States of a broker.
 * @enum {number}
 */
Broker.State = State;

/**
 * A broker that is started: `await using broker = await Broker.start(id, option)` also ends it.
 *
 * @param {string} id
 * @param {object} [option] as for the constructor
 * @param {function(Error, Broker=)} [callback]
 * @returns {Promise<Broker>}
 */
Broker.start = function (id, option, callback) {
  const [own, after] = typeof option === 'function' ? [undefined, option] : [option, callback];
  return nodeify(started(this, id, own), after);
};

/** The promises are those that the option names, where it can be read. */
function started(BrokerClass, id, option) {
  let broker;
  try {
    broker = new BrokerClass(id, option);
  } catch (error) {
    return contextual(Bluebird).reject(error);
  }
  return broker.start().then(() => broker);
}

Object.defineProperties(Broker.prototype, {
  /** @member {string} Broker#id */
  id: reader((core) => core.id),
  /** @member {number} Broker#state one of {@link Broker.State} */
  state: reader((core) => core.state),
  /** @member {string} Broker#clustername the cluster that this broker belongs to */
  clustername: reader((core) => core.config.clustername),
  /** @member {number} Broker#load sum of the loads of its workers */
  load: reader((core) => core.workers.load),
  /** @member {number} Broker#rpcTimeout ms */
  rpcTimeout: reader((core) => core.config.rpcTimeout),
  /** @member {boolean} Broker#ready whether it takes new workers and the others can use it */
  ready: reader((core) => core.isReady()),
  /** @member {number} Broker#redisTime the clock of the Redis server as far as known, ms */
  redisTime: reader((core) => (core.channel !== null && core.channel.native.redisTime()) || wallClock()),
  /** @member {object} Broker#pub the application's own client object, where it gave one */
  pub: reader((core) => core.pub),
  /** @member {object} Broker#sub the application's own client object, where it gave one */
  sub: reader((core) => core.sub),
});

function reader(read) {
  return {
    get() {
      return read(this[kCore]);
    },
    enumerable: true,
    configurable: true,
  };
}

/**
 * Joins the cluster. Allowed in the states INACTIVE and DESTROYED; a failure leads back to INACTIVE.
 *
 * @param {function(Error=)} [callback]
 * @returns {Promise<void>}
 */
Broker.prototype.start = function (callback) {
  return call(this, callback, (core) => core.start());
};

/**
 * Makes a worker class known here. Its name: the given one, else its `classname`, else its `name`.
 *
 * @param {string} [name]
 * @param {Function} ctor a subclass of {@link Worker}; its `clustername` is set
 * @param {{clustername: string=}} [option]
 * @throws {Error} with `DW_ERR_CONFIG`
 */
Broker.prototype.registerWorker = function (...args) {
  const core = this[kCore];
  const registration = readRegistration(args);
  const { name, WorkerClass, clustername, option } = registration;
  core.reporter.checkNames('registerWorker()', REGISTER, option, ELSEWHERE.register);
  for (const mistake of slipsOf(WorkerClass)) core.reporter.caution(mistake, mistake, 'DW_WARN_MISSPELT_MEMBER');
  const clash = clashOf(core.registry, registration);
  if (clash !== undefined) core.reporter.caution(clash, clash, 'DW_WARN_CLASS_REPLACED');
  WorkerClass.clustername = clustername;
  core.registry.add(name, WorkerClass);
  core.named(name, WorkerClass);
  if (clustername === core.config.clustername) core.host(name);
};

/**
 * Replaces the registry of worker classes.
 *
 * @param {{add: function(string, Function), get: function(string): Function}} registry
 * @throws {Error} with `DW_ERR_CONFIG`
 */
Broker.prototype.setWorkerRegistry = function (registry) {
  checkRegistry(registry);
  this[kCore].registry = registry;
};

/**
 * Replaces `option.secret`, without a restart and without losing a call: handshakes that begin from now on use it, open
 * connections stay. To rotate: `[new, old]` on every broker, then `new` on every broker.
 *
 * @param {string|string[]} secret
 * @throws {Error} with `DW_ERR_CONFIG`
 */
Broker.prototype.setSecret = function (secret) {
  const core = this[kCore];
  core.prove(core.credentials.withSecret(secret));
};

/**
 * Replaces the certificates of `option.tls`, as `setSecureContext()` of `node:tls` does: handshakes that begin from now on
 * use them, open connections stay.
 *
 * @param {{key: string|Buffer, cert: string|Buffer, ca: string|Buffer}} tls PEM
 * @throws {Error} with `DW_ERR_CONFIG`, also where `option.tls` was not given
 */
Broker.prototype.setSecureContext = function (tls) {
  const core = this[kCore];
  core.prove(core.credentials.withTls(tls));
};

/**
 * Makes a worker on the least loaded broker of its class's cluster, or finds the live one of that id.
 *
 * @param {string} name of the registered class
 * @param {{id: string=, static: boolean=, attributes: object=}} [option]
 * @param {function(Error, Agent)} [callback]
 * @returns {Promise<Agent>}
 */
Broker.prototype.createWorker = function (name, option, callback) {
  const [own, after] = typeof option === 'function' ? [undefined, option] : [option, callback];
  return call(this, after, (core) => createWorker(core, name, own));
};

/**
 * The agent of a worker that needs not be made: the first message to it does so, on a broker that hosts the class, from whichever
 * broker it comes. Contacts nobody. The worker stays until it is destroyed: see docs/reference/worker.md.
 *
 * @param {Function|string} target the worker class, or the name that it is registered by
 * @param {string} [key] the id is `<name>/<key>`; without a key there is one worker of the class, and the id is the name
 * @param {{attributes: object=, clustername: string=}} [option] `attributes`: of the worker if this agent makes it; `clustername`:
 *   needed where the class is not registered here
 * @returns {Agent}
 * @throws {Error} with `DW_ERR_CONFIG`, or `DW_ERR_CLASS_UNKNOWN` where the cluster of the class is not known
 */
Broker.prototype.get = function (target, key, option) {
  return getWorker(this[kCore], target, key, option);
};

/**
 * Finds a worker; waits while it is being recovered.
 *
 * @param {string} id
 * @param {function(Error, Agent=)} [callback]
 * @returns {Promise<?Agent>} `null` when there is no such worker
 */
Broker.prototype.findWorker = function (id, callback) {
  return call(this, callback, (core) => findWorker(core, id));
};

/**
 * Leaves the cluster: `onDestroy({cause: SYSTEM})` runs on its workers, and each recoverable one is handed over.
 *
 * @param {{noRecover: boolean=}} [option]
 * @param {function(Error=)} [callback]
 * @returns {Promise<void>}
 */
Broker.prototype.destroy = function (option, callback) {
  const [own, after] = typeof option === 'function' ? [undefined, option] : [option, callback];
  return call(this, after, (core) => {
    const given = optionsObject('option of destroy()', own);
    core.reporter.checkNames('destroy()', DESTROY, given, ELSEWHERE.destroy);
    return core.destroy(Boolean(given.noRecover));
  });
};

/**
 * Keeps new workers away from this broker: none is placed, recovered or woken here. Those that it runs stay. It holds until
 * {@link Broker#uncordon}, or until the broker is started again.
 *
 * @param {function(Error=)} [callback]
 * @returns {Promise<void>} when the other brokers place none here any more
 */
Broker.prototype.cordon = function (callback) {
  return call(this, callback, (core) => core.cordon(true));
};

/**
 * Lets new workers come again.
 *
 * @param {function(Error=)} [callback]
 * @returns {Promise<void>}
 */
Broker.prototype.uncordon = function (callback) {
  return call(this, callback, (core) => core.cordon(false));
};

/**
 * `destroy({noRecover: true})`, then `start()`.
 *
 * @param {function(Error=)} [callback]
 * @returns {Promise<void>}
 */
Broker.prototype.restart = function (callback) {
  return call(this, callback, (core) => core.restart());
};

/**
 * Frees a worker that is quarantined because it ended its process again and again: it is recovered at once.
 *
 * @param {string} id of the worker
 * @param {function(Error, boolean=)} [callback]
 * @returns {Promise<boolean>} `false` where no worker of this id was held back
 */
Broker.prototype.release = function (id, callback) {
  return call(this, callback, (core) => {
    checkId('worker id', id);
    return core.pardon(id);
  });
};

/**
 * The brokers of the namespace.
 *
 * @param {function(Error, Array<object>=)} [callback]
 * @returns {Promise<object[]>} by id: `{id, incarnation, cluster, address, classes, load, workers, leaseExpiresIn, cordoned, version, host, pid}`
 */
Broker.prototype.listBrokers = function (callback) {
  return call(this, callback, (core) => listBrokers(core));
};

/**
 * The workers of the namespace: an async iterable of all, or a promise of one page where `option.limit` or `option.cursor` is given.
 * Reading activates nothing. Whoever lives from the beginning to the end of an iteration is in it once.
 *
 * @param {{name: string=, clustername: string=, broker: string=, state: string=, limit: number=, cursor: string=}} [option]
 * @param {function(Error, {workers: Array<object>, cursor: string})} [callback] of a page
 * @returns {AsyncIterable<object>|Promise<{workers: Array<object>, cursor: string}>}
 * @throws {Error} with `DW_ERR_CONFIG`, unless a page is wanted: then the promise rejects
 */
Broker.prototype.listWorkers = function (option, callback) {
  if (!isPaged(Object(option))) return listAll(this[kCore], readListOption(this[kCore], option));
  return call(this, callback, (core) => listPage(core, readListOption(core, option)));
};

/**
 * One worker as the registry has it. Reading activates nothing.
 *
 * @param {string} id of the worker
 * @param {function(Error, object=)} [callback]
 * @returns {Promise<?object>} `null` where there is no such worker
 */
Broker.prototype.inspect = function (id, callback) {
  return call(this, callback, (core) => inspect(core, id));
};

/** Tells every broker of the namespace to restart, this one among them; does not wait for it. */
Broker.prototype.restartAll = function () {
  this[kCore].restartAll();
};

/**
 * Closes the Redis connections, client objects of the application's included. After `destroy()` and `quit()` nothing
 * keeps the process alive. On an ACTIVE broker it closes only the given objects and logs a warning.
 */
Broker.prototype.quit = function () {
  this[kCore].quit();
};

/** Leaves the cluster, if it is in one, and closes the connections: what `await using` calls. */
async function dispose() {
  try {
    while (this.state === State.ACTIVATING || this.state === State.DESTROYING) await once(this, 'state');
    if (this.state === State.ACTIVE) await this.destroy();
  } finally {
    this.quit();
  }
}

// Node.js has the symbol from 20.4 on.
if (Symbol.asyncDispose !== undefined) hide(Broker.prototype, Symbol.asyncDispose, dispose);

function call(broker, callback, work) {
  const core = broker[kCore];
  return answer(core.PromiseClass, callback, () => work(core));
}

module.exports.Broker = Broker;
