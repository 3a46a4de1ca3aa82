/**
 * Which worker classes a broker knows, and what makes a class fit to be one.
 */
'use strict';

const { Agent } = require('./agent');
const { badArgument, checkName, optionsObject } = require('./arguments');
const { concurrencyOf } = require('./concurrency');
const { failure } = require('./errors');
const { Worker } = require('./worker');

const DEFAULT_CLUSTER = 'main';

/** The registry of a broker whose application brings none. */
class Registry {
  constructor() {
    this.classes = new Map();
  }
  add(name, WorkerClass) {
    this.classes.set(name, WorkerClass);
  }
  get(name) {
    return this.classes.get(name);
  }
}

/** Throws unless `registry` is an object with the functions `add` and `get`. */
function checkRegistry(registry) {
  const complete =
    registry !== null && typeof registry === 'object' && typeof registry.add === 'function' && typeof registry.get === 'function';
  if (!complete) throw badArgument('an object with the functions add(name, ctor) and get(name)', 'worker registry', registry);
}

/**
 * Reads the arguments of `registerWorker([name,] ctor [, option])`.
 *
 * @returns {{name: string, WorkerClass: Function, clustername: string}}
 */
function readRegistration(args) {
  const [name, WorkerClass, option] = typeof args[0] === 'string' ? args : [undefined, args[0], args[1]];
  if (typeof WorkerClass !== 'function' || !(WorkerClass.prototype instanceof Worker)) {
    throw badArgument('a subclass of Worker', 'worker class', WorkerClass);
  }
  const { agent } = WorkerClass;
  if (agent && agent !== Agent && !(typeof agent === 'function' && agent.prototype instanceof Agent)) {
    throw badArgument('a subclass of Agent', 'agent of the worker class', agent);
  }
  concurrencyOf(WorkerClass);
  const registered = name === undefined ? WorkerClass.classname || WorkerClass.name : name;
  checkName('name of the worker class', registered);
  const { clustername } = optionsObject('option of registerWorker()', option);
  const cluster = clustername || WorkerClass.clustername || DEFAULT_CLUSTER;
  checkName('clustername', cluster);
  return { name: registered, WorkerClass, clustername: cluster };
}

/** The class of that name; throws an Error with `DW_ERR_CLASS_UNKNOWN` where the registry has none. */
function lookUp(registry, name, brokerId) {
  const unknown = `Worker class ${name} is not registered at broker ${brokerId}`;
  let WorkerClass;
  try {
    WorkerClass = registry.get(name);
  } catch (error) {
    throw Object.assign(failure('DW_ERR_CLASS_UNKNOWN', `${unknown}: its registry threw`), { cause: error });
  }
  if (typeof WorkerClass !== 'function') throw failure('DW_ERR_CLASS_UNKNOWN', unknown);
  return WorkerClass;
}

/** The cluster that workers of this class live in. */
function clusterOf(WorkerClass) {
  return WorkerClass.clustername || DEFAULT_CLUSTER;
}

module.exports.Registry = Registry;
module.exports.checkRegistry = checkRegistry;
module.exports.readRegistration = readRegistration;
module.exports.lookUp = lookUp;
module.exports.clusterOf = clusterOf;
