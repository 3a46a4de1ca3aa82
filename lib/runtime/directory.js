/**
 * Creates and finds workers.
 */
'use strict';

const { Agent, knowsMethods } = require('../agent');
const { badArgument, checkId, checkName, fits, optionsObject } = require('../options/arguments');
const { current } = require('../base/context');
const { failure } = require('../base/errors');
const { toJson } = require('./messages/send');
const { methodsOf } = require('./workers/methods');
const { codecOf } = require('../payload/codec');
const { CREATE } = require('../options/table');
const { hide, kCodec } = require('../base/symbols');
const { ELSEWHERE } = require('../options/unknown');
const { DirectOutcome } = require('./messages/direct-outcome');
const { sendLater } = require('./messages/held');
const { clusterOf } = require('./registry');
const { closedGate, gates } = require('./data/gates');
const { Worker } = require('../worker');

/** Bytes of the JSON text of a worker's attributes: it is kept in Redis and carried through every recovery. */
const MAX_ATTRIBUTES_BYTES = 64 * 1024;

function createWorker(core, name, option) {
  checkName('name of the worker class', name);
  const given = optionsObject('option of createWorker()', option);
  core.reporter.checkNames('createWorker()', CREATE, given, ELSEWHERE.create);
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
  const { inbound, direct, home } = requester(channel);
  const { rpcTimeout } = core.config;
  const cell = gates.count > 0 ? closedGate() : undefined;
  const create = () => channel.call((native, slot) => native.create(slot, name, cluster, workerId, recoverable, json, rpcTimeout, inbound, direct, home));
  const created = cell === undefined ? create() : sendLater(channel, cell, create);
  return created.then(({ id, broker, failed }) => {
    if (failed) tellCreator(core, id, broker, failed);
    return agentOf(core, WorkerClass, id);
  });
}

/** What `onCreate` fails with does not fail `createWorker`, and the broker of the worker reports it. So does the creator's. */
function tellCreator(core, id, broker, failed) {
  const message = `Worker ${id}, which this broker created, failed in 'onCreate' on ${broker === null ? 'another broker' : `broker ${broker}`} and is active all the same: ${failed}`;
  core.reporter.failedElsewhere('failed onCreate elsewhere', message);
}

/**
 * The handler that creates a worker, as the core knows it: it waits for `onCreate` of that worker, so that calls of `onCreate` that
 * wait for it would wait for themselves. `direct`: its worker, where the core does not know the message. A tell that is handled
 * beside others blocks nothing.
 */
function requester({ native }) {
  const turn = current();
  if (turn === undefined || turn.workers.core.channel === null) return { inbound: 0, direct: 0, home: native };
  const inbound = Math.max(turn.inbound, 0);
  const direct = turn instanceof DirectOutcome ? turn.record.handle : 0;
  return { inbound, direct, home: turn.workers.core.channel.native };
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
  const agent = new AgentClass(id, core.broker);
  knowsMethods(agent, methodsOf(WorkerClass, Worker));
  const codec = codecOf(WorkerClass);
  if (codec !== undefined) hide(agent, kCodec, codec);
  return agent;
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

module.exports.agentOf = agentOf;
module.exports.readAttributes = readAttributes;
module.exports.createWorker = createWorker;
module.exports.findWorker = findWorker;
