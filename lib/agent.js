/**
 * The application's handle of a worker, wherever that lives.
 */
'use strict';

const { keepOwn } = require('./base/accessors');
const { checkCallback, checkId, badArgument, optionsObject } = require('./options/arguments');
const { stubs } = require('./runtime/messages/calls');
const { rpc, watchCall } = require('./base/diagnostics');
const { failure } = require('./base/errors');
const { ask, tell } = require('./runtime/messages/send');
const { Bluebird, answer, contain, contextual, nodeify } = require('./base/promises');
const { kCodec, kCore, kRecipe, hide } = require('./base/symbols');
const { endWorker } = require('./runtime/ending');

/**
 * A handle of the worker `id`. Brokers make them (`createWorker`, `findWorker`); a worker class's `agent` property names
 * a subclass to be used for it.
 *
 * @constructor
 * @param {string} id the worker's
 * @param {Broker} broker the one to send through
 */
function Agent(id, broker) {
  checkId('agent id', id);
  if (!broker) throw badArgument('a Broker', 'broker', broker);
  hide(this, '__priv', { br: broker, id, methods: undefined, option: undefined, call: undefined, send: undefined });
}

Object.defineProperty(Agent.prototype, 'id', {
  get() {
    return this.__priv.id;
  },
  enumerable: true,
  configurable: true,
});

Object.defineProperties(Agent.prototype, {
  /** @member {Object} Agent#call its functions are asks: `agent.call.add(data)` is `agent.ask('add', data)` */
  call: { get: stubsNamed('call'), set: keepOwn('call'), configurable: true },
  /** @member {Object} Agent#send its functions are tells: `agent.send.add(data)` is `agent.tell('add', data)` */
  send: { get: stubsNamed('send'), set: keepOwn('send'), configurable: true },
});

function stubsNamed(how) {
  return function () {
    const inner = this.__priv;
    if (inner === undefined) return undefined;
    if (inner[how] === undefined) inner[how] = stubs(this, how, inner.methods);
    return inner[how];
  };
}

/** `methods`: what the class of the worker declares. An agent class of the application's may have kept the base from running. */
function knowsMethods(agent, methods) {
  if (agent.__priv !== undefined) agent.__priv.methods = methods;
}

/**
 * The same agent whose asks have these options, where they are given no others: `agent.with({ timeout: 500 }).call.total()`.
 *
 * @param {object} option see {@link Agent#ask}
 * @returns {Agent}
 */
Agent.prototype.with = function (option) {
  const inner = this.__priv;
  const given = optionsObject('option of with()', option);
  const same = Object.create(this);
  hide(same, '__priv', { ...inner, option: { ...inner.option, ...given }, call: undefined, send: undefined });
  return same;
};

/**
 * Sends a message and waits for the handler's answer, for `rpcTimeout` at most. The handler runs once or not at all.
 * Inside of a handler the ask ends with the call that is being handled, if that is earlier.
 *
 * @param {string} method
 * @param {*} [data] JSON; the worker gets a copy
 * @param {object} [option]
 * @param {number} [option.timeout] ms, instead of `rpcTimeout`
 * @param {AbortSignal} [option.signal] ends the ask with `DW_ERR_ABORTED`
 * @param {function(Error, *)} [callback]
 * @returns {Promise<*>} the answer. Errors have `code` and `delivered`
 */
Agent.prototype.ask = function (method, data, option, callback) {
  const { br, id, option: preset } = this.__priv;
  if (typeof option === 'function') {
    callback = option;
    option = undefined;
  }
  if (preset !== undefined) option = preferred(option, preset);
  const core = br ? br[kCore] : undefined;
  let promise;
  try {
    if (callback !== undefined) checkCallback(callback);
    promise = ask(linked(core, id), id, method, data, option, this[kCodec], this[kRecipe]);
  } catch (error) {
    promise = promiseClass(core).reject(error);
  }
  if (rpc.hasSubscribers && core !== undefined) promise = watch(promise, 'ask', core, id, method);
  return nodeify(promise, callback);
};

/**
 * Sends a message and waits only until it is handed to the transport. A rejection that nobody awaits is no
 * `unhandledRejection`.
 *
 * @param {string} method
 * @param {*} [data] JSON; the worker gets a copy
 * @param {function(Error=)} [callback]
 * @returns {Promise<void>}
 */
Agent.prototype.tell = function (method, data, callback) {
  const { br, id } = this.__priv;
  const core = br ? br[kCore] : undefined;
  let promise;
  try {
    if (callback !== undefined) checkCallback(callback);
    promise = tell(linked(core, id), id, method, data, this[kCodec], this[kRecipe]);
  } catch (error) {
    promise = contain(promiseClass(core).reject(error));
  }
  if (rpc.hasSubscribers && core !== undefined) promise = contain(watch(promise, 'tell', core, id, method));
  return nodeify(promise, callback);
};

/**
 * Ends the worker for good, wherever it is: `onDestroy({cause: SELF})` runs after the messages that this broker sent it before. One that
 * is asleep, or waits to be recovered, is deleted without being activated.
 *
 * @param {function(Error=)} [callback]
 * @returns {Promise<void>} resolves when it is gone, also where there was none
 */
Agent.prototype.destroy = function (callback) {
  const { br, id } = this.__priv;
  const core = br ? br[kCore] : undefined;
  return answer(promiseClass(core), callback, () => endWorker(linked(core, id), id));
};

/** Messages to workers of a class that has no codec of its own go by the broker's. */
hide(Agent.prototype, kCodec, undefined);
/** Only what `broker.get()` made makes workers. */
hide(Agent.prototype, kRecipe, undefined);

function watch(promise, type, core, worker, method) {
  return watchCall(promise, { type, broker: core.id, worker, method });
}

function preferred(option, preset) {
  if (option === undefined || option === null) return preset;
  return typeof option === 'object' ? { ...preset, ...option } : option;
}

function linked(core, id) {
  if (core === undefined) throw failure('DW_ERR_STATE', `Expected the agent of worker ${id} to have a broker: use createWorker(), findWorker(), get() or new Agent(id, broker)`);
  return core;
}

function promiseClass(core) {
  return core === undefined ? contextual(Bluebird) : core.PromiseClass;
}

module.exports.Agent = Agent;
module.exports.knowsMethods = knowsMethods;
