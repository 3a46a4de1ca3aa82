/**
 * Where the cluster's state lives: `option.redis` in all its forms, as the core's `CoordinatorConfig`.
 */
'use strict';

const { readClients } = require('./redis-clients');
const { credential, database, host, orNone, port, reader, socketPath } = require('./checks');
const { failure } = require('../base/errors');
const { normalizeNodes } = require('./redis-nodes');
const { FORMS, parseRedisUrl } = require('./redis-url');
const { normalizeSentinel } = require('./redis-sentinel');
const { normalizeTls } = require('./redis-tls');
const { refusal, secretRefusal } = require('./refusal');
const { REDIS } = require('./table');
const { ELSEWHERE, unknownOptions } = require('./unknown');

const ENVIRONMENT_URL = 'DWORKER_REDIS_URL';
/** What names a place; only one of them may. */
const PLACES = ['url', 'host', 'port', 'path', 'nodes', 'sentinels'];
const DEFAULT_HOST = '127.0.0.1';
const DEFAULT_PORT = 6379;
const DEFAULT_DB = 0;

/**
 * @param {*} redis `option.redis`
 * @param {Object} env its `DWORKER_REDIS_URL` is used if `option.redis` is absent
 * @returns {{coordinator: Object, pub: ?Object, sub: ?Object}} with the application's own client objects
 * @throws {Error} code `DW_ERR_CONFIG`
 */
function normalizeRedis(redis, env) {
  if (redis === undefined || redis === null) {
    const url = env[ENVIRONMENT_URL];
    return { coordinator: url ? fromUrl(url, ENVIRONMENT_URL) : fromParts({}, 'redis') };
  }
  if (typeof redis === 'string' || redis instanceof URL) return { coordinator: fromUrl(redis, 'redis') };
  if (typeof redis !== 'object' || Array.isArray(redis) || typeof redis.quit === 'function') {
    throw refusal(`${FORMS}, or an object (a client object belongs in redis.pub)`, 'redis', redis);
  }
  return fromObject(redis);
}

/** Each option is looked at once, so that a getter cannot change its mind. */
function fromObject(redis) {
  const given = Object.fromEntries(Object.keys(REDIS).map((key) => [key, redis[key] ?? undefined]));
  refuseUnknown(redis);
  const { cluster, pub, sub } = given;
  const coordinator = withAccount(place(given), given);
  checkCluster(cluster, coordinator);
  return { coordinator, pub, sub };
}

/** An error and not only a warning: a program that misspells `url` would connect to 127.0.0.1. */
function refuseUnknown(redis) {
  const [first] = unknownOptions(REDIS, redis, 'redis.', ELSEWHERE.redis);
  if (first !== undefined) throw failure('DW_ERR_CONFIG', first);
}

function place(given) {
  if (given.pub !== undefined || given.sub !== undefined) {
    // host and port beside client objects had no effect in the original, so they have none here
    refuseBeside(given, ['url', 'path', 'nodes', 'sentinels'], 'redis.pub or redis.sub');
    const { facts, name } = readClients({ pub: given.pub, sub: given.sub, passwordKnown: Boolean(given.password) });
    return fromParts(withTls(facts, given.tls), name);
  }
  if (!isNone(given.url)) {
    refuseBeside(given, PLACES.slice(1), 'redis.url');
    return fromUrl(given.url, 'redis.url', given);
  }
  for (const several of ['sentinels', 'nodes']) {
    if (!isNone(given[several])) refuseBeside(given, PLACES.filter((key) => key !== several), `redis.${several}`);
  }
  return fromParts(given, 'redis');
}

function refuseBeside(given, keys, other) {
  for (const key of keys) {
    if (!isNone(given[key])) throw secretRefusal(`nothing beside ${other}`, `redis.${key}`, given[key]);
  }
}

/** Nothing is to be chosen: keys of a namespace are in one slot, and its node is found from any other. */
function checkCluster(cluster, { db }) {
  if (isNone(cluster)) return;
  if (typeof cluster !== 'boolean') throw refusal('true or false', 'redis.cluster', cluster);
  if (cluster === true && db > 0) throw refusal('0 (Redis Cluster has one database)', 'redis.db', db);
}

function isNone(value) {
  return value === undefined || value === null;
}

function fromUrl(text, name, { tls, sentinelTls, sentinelUsername, sentinelPassword } = {}) {
  const parts = parseRedisUrl(text, name);
  if (parts.memory !== undefined) return { kind: 'memory', name: parts.memory };
  if (parts.tls && tls === false) throw refusal('TLS options (the URL asks for TLS)', 'redis.tls', tls);
  if (parts.sentinels === undefined) return fromParts(withTls(parts, tls), name);
  const sentinel = { ...parts, sentinelTls };
  if (!isNone(sentinelUsername)) sentinel.sentinelUsername = sentinelUsername;
  if (!isNone(sentinelPassword)) sentinel.sentinelPassword = sentinelPassword;
  return fromParts(withTls(sentinel, tls), name);
}

/** The option goes before what a URL or a client object says. */
function withTls(parts, tls) {
  return isNone(tls) ? parts : { ...parts, tls, tlsName: 'redis.tls' };
}

function fromParts(parts, name) {
  const read = reader(parts, `${name}.`);
  const tlsName = parts.tlsName ?? `${name}.tls`;
  const tls = normalizeTls(parts.tls, tlsName);
  const server = {
    kind: 'redis',
    host: read('host', null, orNone(host)) ?? DEFAULT_HOST,
    port: read('port', null, orNone(port)) ?? DEFAULT_PORT,
    path: read('path', null, orNone(socketPath)),
  };
  if (tls !== null && server.path !== null) throw refusal('none with a Unix socket', tlsName, parts.tls);
  const sentinel = isNone(parts.sentinels) ? null : normalizeSentinel(parts, name, tls);
  const nodes = isNone(parts.nodes) ? [] : normalizeNodes(parts.nodes, `${name}.nodes`);
  const own = account(parts, name, DEFAULT_DB);
  if (nodes.length > 0) checkCluster(true, own);
  return { ...server, ...nodes[0], ...own, tls, sentinel, nodes };
}

/** `absent` is the database where none is named. */
function account(parts, name, absent) {
  const read = reader(parts, `${name}.`);
  return {
    username: read('username', null, orNone(credential)),
    password: read('password', null, orNone(credential)),
    db: read('db', null, orNone(database)) ?? absent,
  };
}

/** `username`, `password` and `db` go before what the URL or the client object says. */
function withAccount(coordinator, given) {
  const own = account(given, 'redis', null);
  if (coordinator.kind === 'memory') return coordinator;
  if (coordinator.nodes.length > 0) checkCluster(true, own);
  return {
    ...coordinator,
    username: own.username ?? coordinator.username,
    password: own.password ?? coordinator.password,
    db: own.db ?? coordinator.db,
  };
}

module.exports.normalizeRedis = normalizeRedis;
