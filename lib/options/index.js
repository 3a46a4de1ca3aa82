/**
 * The options of brokers and routers: checked, with their defaults, in the form that the core reads.
 */
'use strict';

const { hostname } = require('node:os');
const { boolean, id: brokerId, object } = require('./checks');
const { readCredentials } = require('./credentials');
const { logOption } = require('./log');
const { promiseConstructor } = require('./promise');
const { readTable } = require('./read');
const { normalizeRedis } = require('./redis');
const { BROKER, ROUTER } = require('./table');
const { version } = require('../../package.json');

/** What the record of a broker says of its process, for people who look at the cluster. */
const PROCESS = { host: hostname(), pid: process.pid, version };

const { sockets: SOCKETS, codec: CODEC } = BROKER;

/**
 * Checks the arguments of `new Broker(id, option)` and fills in the defaults. Neither `option` nor anything in it is changed.
 * @param {string} id
 * @param {Object} [option]
 * @param {Object} [env] the environment, for `DWORKER_REDIS_URL`, `DWORKER_SECRET` and `DWORKER_SOCKETS`
 * @returns {{config: Object, credentials: Credentials, promise: Function, pub: ?Object, sub: ?Object, remoteStack: boolean, codec: string, log: (undefined|false|Function), mistakes: string[]}}
 *   `config` is plain JSON with every field of the core's `BrokerConfig`; `promise` a constructor; `pub` and `sub` the given client
 *   objects themselves; `mistakes` says which options are not known and therefore ignored
 * @throws {Error} code `DW_ERR_CONFIG`
 */
function normalizeBrokerOptions(id, option, env = process.env) {
  const given = object(option ?? {}, 'option');
  const { coordinator, pub, sub } = normalizeRedis(given.redis, env);
  const mistakes = [];
  const sockets = normalizeSockets(given.sockets, env);
  const config = { id: brokerId(id, 'id'), ...readTable(BROKER, given, mistakes), coordinator, sockets, process: PROCESS };
  return {
    config,
    credentials: readCredentials(given, env),
    promise: promiseConstructor(given.promise ?? 'bluebird', 'promise'),
    pub,
    sub,
    remoteStack: boolean(given.remoteStack ?? true, 'remoteStack'),
    codec: CODEC.check(given.codec ?? CODEC.default, 'codec'),
    log: logOption(given.log, 'log'),
    mistakes,
  };
}

/**
 * Checks the argument of `new Router(option)` and fills in the default.
 * @param {Object} [option]
 * @returns {{config: {socTimeout: number}, mistakes: string[]}} milliseconds; 0: an idle connection stays open
 * @throws {Error} code `DW_ERR_CONFIG`
 */
function normalizeRouterOptions(option) {
  const mistakes = [];
  return { config: readTable(ROUTER, object(option ?? {}, 'option'), mistakes), mistakes };
}

/** `DWORKER_SOCKETS` selects the way without a change of the program, to compare the two. */
function normalizeSockets(given, { DWORKER_SOCKETS: fromEnv = '' }) {
  const fallback = fromEnv === '' ? SOCKETS.default : SOCKETS.check(fromEnv, 'DWORKER_SOCKETS');
  const chosen = given === undefined ? fallback : SOCKETS.check(given, 'sockets');
  return hasEventLoop(process.versions) ? chosen : 'task';
}

/**
 * Whether the runtime is Node.js itself, whose libuv can serve sockets. Bun and Deno export libuv's functions without the
 * libuv that they belong to: calling them ends the process.
 *
 * @param {Object} versions `process.versions`
 */
function hasEventLoop(versions) {
  return 'uv' in versions && !('bun' in versions) && !('deno' in versions);
}

module.exports.normalizeBrokerOptions = normalizeBrokerOptions;
module.exports.normalizeRouterOptions = normalizeRouterOptions;
module.exports.hasEventLoop = hasEventLoop;
