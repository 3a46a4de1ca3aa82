/**
 * How the application comes to a worker: by creating it or by finding it.
 */
'use strict';

const { Agent } = require('./agent');
const { badArgument, checkId, checkName, fits, optionsObject } = require('./arguments');
const { current } = require('./context');
const { failure } = require('./errors');
const { toJson } = require('./messages');
const { CREATE } = require('./options/table');
const { ELSEWHERE } = require('./options/unknown');
const { clusterOf } = require('./registry');

/** Bytes of the JSON text of a worker's attributes: it is kept in Redis and carried through every recovery. */
const MAX_ATTRIBUTES_BYTES = 64 * 1024;

function createWorker(core, name, option) {
  checkName('name of the worker class', name);
  const given = optionsObject('option of createWorker()', option);
  core.checkNames('createWorker()', CREATE, given, ELSEWHERE.create);
  const { id, static: isStatic, attributes } = given;
  const ownId = id === undefined || id === null ? undefined : id;
  if (ownId !== undefined) checkId('option.id', ownId);
  const { json, recoverable } = readAttributes(attributes, Boolean(isStatic));
  const WorkerClass = core.lookUp(name);
  const channel = core.started();
  const cluster = clusterOf(WorkerClass);
  // A class that only a registry of the application's has was never registered by name: others learn of it here.
  if (cluster === core.config.clustername) core.host(name);
  const workerId = ownId === undefined && isStatic ? name : ownId;
  refuseOwnStep(workerId);
  return channel
    .call((native, slot) => native.create(slot, name, cluster, workerId, recoverable, json, core.config.rpcTimeout))
    .then((created) => agentOf(core, WorkerClass, created.id));
}

/** `createWorker` waits for `onCreate` of a worker that is starting, and for the end of one that is ending: both would wait for it. */
function refuseOwnStep(workerId) {
  const turn = current();
  if (turn === undefined || turn.step === undefined || turn.record.id !== workerId) return;
  throw failure('DW_ERR_CYCLE', `The call would wait for itself: "${workerId}" (${turn.step}) → createWorker "${workerId}".`);
}

function findWorker(core, id) {
  checkId('worker id', id);
  return core
    .started()
    .call((native, slot) => native.find(slot, id))
    .then((found) => (found ? agentOf(core, core.lookUp(found.class), id) : null));
}

function agentOf(core, WorkerClass, id) {
  const AgentClass = WorkerClass.agent || Agent;
  return new AgentClass(id, core.broker);
}

/** The JSON text of the attributes, `static` among them, without touching the application's object. */
function readAttributes(attributes, isStatic) {
  const given = optionsObject('option.attributes', attributes);
  const own = typeof given.toJSON === 'function' ? given.toJSON('') : given;
  if (own === null || typeof own !== 'object' || Array.isArray(own)) throw badArgument('an object', 'option.attributes', own);
  const json = toJson('option.attributes', { ...own, static: isStatic });
  if (!fits(json, MAX_ATTRIBUTES_BYTES)) {
    const text = `The attributes take ${Buffer.byteLength(json)} bytes of JSON: more than ${MAX_ATTRIBUTES_BYTES}`;
    throw failure('DW_ERR_TOO_LARGE', text);
  }
  return { json, recoverable: Boolean(own.recoverable) };
}

module.exports.createWorker = createWorker;
module.exports.findWorker = findWorker;
