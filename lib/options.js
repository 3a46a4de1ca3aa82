/**
 * The options of brokers and routers: checked, with their defaults, in the form that the core reads.
 */
'use strict';

const {
  host, id: brokerId, integer, label, milliseconds, object, oneOf, orNone, port, portOrFree, reader, seconds,
} = require('./options/checks');
const { readCredentials } = require('./options/credentials');
const { normalizeLease, normalizeStall, onRedisLoss } = require('./options/lease');
const { promiseConstructor } = require('./options/promise');
const { normalizeRedis } = require('./options/redis');

const SMALLEST_MESSAGE_LIMIT = 1024;
const DEFAULT_SOCKETS = 'loop';
/** What may wait for one peer: a larger message could never be sent. */
const LARGEST_MESSAGE_LIMIT = 64 * 1024 * 1024;

/**
 * Checks the arguments of `new Broker(id, option)` and fills in the defaults. Neither `option` nor anything in it is
 * changed; options that are not known are ignored.
 * @param {string} id
 * @param {Object} [option]
 * @param {Object} [env] the environment, for `DWORKER_REDIS_URL`, `DWORKER_SECRET` and `DWORKER_SOCKETS`
 * @returns {{config: Object, credentials: Credentials, promise: Function, pub: ?Object, sub: ?Object}} `config` is plain JSON with every field of
 *   the core's `BrokerConfig`; `promise` a constructor; `pub` and `sub` the given client objects themselves
 * @throws {Error} code `DW_ERR_CONFIG`
 */
function normalizeBrokerOptions(id, option, env = process.env) {
  const given = object(option ?? {}, 'option');
  const read = reader(given);
  const { coordinator, pub, sub } = normalizeRedis(given.redis, env);
  const config = {
    id: brokerId(id, 'id'),
    ns: read('ns', 'dw', label),
    clustername: read('clustername', 'main', label),
    coordinator,
    listen: read('listen', null, orNone(address(portOrFree))),
    advertise: read('advertise', null, orNone(address(port))),
    rpcTimeout: read('rpcTimeout', 3000, milliseconds(1)),
    ttl: read('ttl', 0, milliseconds(0, Number.MAX_SAFE_INTEGER)),
    routes: normalizeRoutes(read('brokerCache', {}, object)),
    retries: normalizeRetries(read('retries', {}, object)),
    sockets: normalizeSockets(read, env),
    socketTimeout: read('socTimeout', 15000, milliseconds(0)),
    healthCheckInterval: read('healthCheckInterval', 1000, seconds(0)),
    lease: normalizeLease(read('lease', {}, object), 'lease'),
    onRedisLoss: read('onRedisLoss', 'suspend', onRedisLoss),
    stall: normalizeStall(read('stall', {}, object), 'stall'),
    maxMessageBytes: read('maxMessageBytes', 16 * 1024 * 1024, integer(SMALLEST_MESSAGE_LIMIT, LARGEST_MESSAGE_LIMIT)),
    destroyTimeout: read('destroyTimeout', 5000, milliseconds(1)),
  };
  return { config, credentials: readCredentials(given, env), promise: promiseConstructor(given.promise ?? 'bluebird', 'promise'), pub, sub };
}

/**
 * Checks the argument of `new Router(option)` and fills in the default.
 * @param {Object} [option]
 * @returns {{socTimeout: number}} milliseconds; 0: an idle connection stays open
 * @throws {Error} code `DW_ERR_CONFIG`
 */
function normalizeRouterOptions(option) {
  const read = reader(object(option ?? {}, 'option'));
  return { socTimeout: read('socTimeout', 30000, milliseconds(0)) };
}

/** `DWORKER_SOCKETS` lets whoever runs a program compare the two ways without a change in it. */
function normalizeSockets(read, { DWORKER_SOCKETS: fromEnv = '' }) {
  const way = oneOf('loop', 'task');
  const fallback = fromEnv === '' ? DEFAULT_SOCKETS : way(fromEnv, 'DWORKER_SOCKETS');
  const chosen = read('sockets', fallback, way);
  // Bun has libuv's names without a libuv behind them: to call one ends the process.
  return 'bun' in process.versions ? 'task' : chosen;
}

function address(checkPort) {
  return (value, name) => {
    const read = reader(object(value, name), `${name}.`);
    return { host: read('host', null, orNone(host)), port: read('port', null, orNone(checkPort)) };
  };
}

function normalizeRoutes(given) {
  const read = reader(given, 'brokerCache.');
  return { max: read('max', 1000, integer(1, Number.MAX_SAFE_INTEGER)), maxAge: read('maxAge', 30000, milliseconds(1)) };
}

function normalizeRetries(given) {
  const read = reader(given, 'retries.');
  const initialInterval = read('initialInterval', 40, milliseconds(1));
  return {
    initialInterval,
    // a first interval beyond the default limit is no mistake of who named it alone
    maxInterval: read('maxInterval', Math.max(800, initialInterval), milliseconds(1)),
    duration: read('duration', 2000, milliseconds(0)),
  };
}

module.exports.normalizeBrokerOptions = normalizeBrokerOptions;
module.exports.normalizeRouterOptions = normalizeRouterOptions;
