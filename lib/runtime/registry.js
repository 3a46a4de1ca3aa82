/**
 * The worker classes that a broker knows, and the checks of a class that is registered.
 */
'use strict';

const { checkPrototype } = require('../base/accessors');
const { Agent } = require('../agent');
const { badArgument, checkName, optionsObject } = require('../options/arguments');
const { concurrencyOf } = require('./workers/concurrency');
const { failure } = require('../base/errors');
const { readDeclaration } = require('./data/declaration');
const { readMethods } = require('./workers/methods');
const { Worker } = require('../worker');

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
 * @returns {{name: string, derived: boolean, WorkerClass: Function, clustername: string, option: object}} `derived`: the name is only the
 *   class's own, which a minifier may have chosen
 */
function readRegistration(args) {
  const [name, WorkerClass, option] = typeof args[0] === 'string' ? args : [undefined, args[0], args[1]];
  if (typeof WorkerClass !== 'function' || !(WorkerClass.prototype instanceof Worker)) {
    throw noSubclass(Worker, 'worker class', WorkerClass);
  }
  const { agent } = WorkerClass;
  if (agent && agent !== Agent && !(typeof agent === 'function' && agent.prototype instanceof Agent)) {
    throw noSubclass(Agent, 'agent of the worker class', agent);
  }
  concurrencyOf(WorkerClass);
  const derived = name === undefined && !WorkerClass.classname;
  const registered = name === undefined ? WorkerClass.classname || WorkerClass.name : name;
  checkName('name of the worker class', registered);
  checkPrototype(WorkerClass, registered, Worker);
  readMethods(WorkerClass, Worker);
  readDeclaration(WorkerClass, Worker);
  const given = optionsObject('option of registerWorker()', option);
  const { clustername } = given;
  const cluster = clustername || WorkerClass.clustername || DEFAULT_CLUSTER;
  checkName('clustername', cluster);
  return { name: registered, derived, WorkerClass, clustername: cluster, option: given };
}

/**
 * Says so where a class replaces another one that only happens to have the same name, as minified classes do. Registering the same code
 * again (a reload, a test) is no mistake, nor is a replacement under a name that was given.
 *
 * @returns {string|undefined}
 */
function clashOf(registry, { name, derived, WorkerClass }) {
  const before = derived && registry instanceof Registry ? registry.get(name) : undefined;
  if (before === undefined || before === WorkerClass || sourceOf(before) === sourceOf(WorkerClass)) return undefined;
  return (
    `registerWorker(): Two different classes are named ${name}; the second one replaces the first. ` +
    'If a minifier shortened their names, give each a name of its own: static classname.'
  );
}

/** The code of a class, also of one that was made with util.inherits(). */
function sourceOf(WorkerClass) {
  const own = Object.getOwnPropertyDescriptors(WorkerClass.prototype);
  const functions = Object.values(own).map(({ value }) => value).filter((value) => typeof value === 'function');
  return [WorkerClass, ...functions].map((each) => Function.prototype.toString.call(each)).join('\n');
}

/** Names the function and what it extends, where "a function" would not help. */
function noSubclass(Base, name, value) {
  if (typeof value !== 'function') return badArgument(`a subclass of ${Base.name}`, name, value);
  const text = `Expected a subclass of ${Base.name} for ${name} but received ${nameOf(value)}, which ${parentOf(value, Base)}`;
  return failure('DW_ERR_CONFIG', `${text}, of type function`);
}

function nameOf(value) {
  const isClass = /^class\b/.test(Function.prototype.toString.call(value));
  return `${isClass ? 'class' : 'function'} ${typeof value.name === 'string' && value.name !== '' ? value.name : '(no name)'}`;
}

function parentOf(value, Base) {
  if (value === Base) return 'is the base class itself';
  // With util.inherits() the prototype alone says it.
  const parent = value.prototype && Object.getPrototypeOf(value.prototype)?.constructor;
  if (typeof parent !== 'function' || parent === Object) return 'extends no class';
  if (parent.name === Base.name) return `extends another ${Base.name} (of node:worker_threads, or of another copy of dworker)`;
  return `extends ${parent.name || 'a class without a name'}`;
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
module.exports.clashOf = clashOf;
module.exports.readRegistration = readRegistration;
module.exports.lookUp = lookUp;
module.exports.clusterOf = clusterOf;
