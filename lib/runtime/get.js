/**
 * `broker.get()`: the agent of a worker that is made by the first message to it.
 */
'use strict';

const { MAX_NAME_BYTES, badArgument, checkId, checkName, optionsObject } = require('../options/arguments');
const { Agent } = require('../agent');
const { failure } = require('../base/errors');
const { hide, kRecipe } = require('../base/symbols');
const { GET } = require('../options/table');
const { agentOf, readAttributes } = require('./directory');
const { Recipe } = require('./recipes');
const { clusterOf } = require('./registry');

/**
 * @param {Core} core
 * @param {Function|string} target a worker class or the name that one is registered by
 * @param {string} [key] tells the workers of a class apart; without one there is a single worker
 * @param {{attributes: object=, clustername: string=}} [option]
 * @returns {Agent}
 * @throws {Error} with `DW_ERR_CONFIG` or `DW_ERR_CLASS_UNKNOWN`
 */
function getWorker(core, target, key, option) {
  const given = optionsObject('option of get()', option);
  core.reporter.checkNames('get()', GET, given);
  const { name, WorkerClass } = classOf(core, target);
  const cluster = given.clustername === undefined ? knownCluster(core, name, WorkerClass) : given.clustername;
  checkName('option.clustername', cluster);
  const id = idOf(name, key);
  const agent = WorkerClass === undefined ? new Agent(id, core.broker) : agentOf(core, WorkerClass, id);
  if (WorkerClass !== undefined && cluster === core.config.clustername && core.registry.get(name) === WorkerClass) core.host(name);
  hide(agent, kRecipe, recipeOf(core, agent, name, cluster, given.attributes, key === undefined));
  return agent;
}

function recipeOf(core, agent, name, cluster, attributes, isStatic) {
  const { json, recoverable } = readAttributes(attributes, isStatic);
  if (attributes === undefined || attributes === null) return core.recipes.get(name, cluster, json);
  return new Recipe(name, cluster, recoverable, json).ownedBy(agent);
}

/** The name that the class is registered by, and the class as far as this broker knows it. */
function classOf(core, target) {
  if (typeof target === 'function') {
    const name = nameOf(core, target);
    return { name, WorkerClass: target };
  }
  if (typeof target !== 'string') throw badArgument('a worker class or its name', 'worker class', target);
  checkName('name of the worker class', target);
  return { name: target, WorkerClass: core.find(target) };
}

function nameOf(core, WorkerClass) {
  const names = core.namesOf(WorkerClass);
  if (names.length > 1) {
    const text = `Expected a class that is registered by one name, but ${WorkerClass.name} is registered as ${names.join(' and ')}. Give the name instead.`;
    throw failure('DW_ERR_CONFIG', text);
  }
  const name = names.length === 1 ? names[0] : WorkerClass.classname || WorkerClass.name;
  checkName('name of the worker class', name);
  return name;
}

function knownCluster(core, name, WorkerClass) {
  const isKnown = WorkerClass !== undefined && core.find(name) === WorkerClass;
  if (isKnown) return clusterOf(WorkerClass);
  const text = `Worker class ${name} is not registered at broker ${core.id}, so that its cluster is not known. Register it, or give option.clustername.`;
  throw failure('DW_ERR_CLASS_UNKNOWN', text);
}

/** `<name>/<key>`: what is in front of the first slash is the name. */
function idOf(name, key) {
  const head = name.replace(/[%/]/g, (letter) => (letter === '%' ? '%25' : '%2F'));
  if (key === undefined || key === null) return head;
  if (typeof key !== 'string' || key === '') throw badArgument('a non-empty string', 'key', key);
  const id = `${head}/${key}`;
  checkId(`id of the worker (a class name takes up to ${MAX_NAME_BYTES} bytes of it)`, id);
  return id;
}

module.exports.getWorker = getWorker;
