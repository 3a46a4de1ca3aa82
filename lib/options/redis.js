/**
 * Where the cluster's state lives: `option.redis` in all its forms, as the core's `CoordinatorConfig`.
 */
'use strict';

const { readClients } = require('../redis-clients');
const { credential, database, host, orNone, port, reader, socketPath } = require('./checks');
const { FORMS, parseRedisUrl } = require('./redis-url');
const { notSupportedYet, refusal, secretRefusal } = require('./refusal');

const ENVIRONMENT_URL = 'DWORKER_REDIS_URL';
const NOT_YET = { tls: 'TLS to Redis', sentinels: 'Redis Sentinel', cluster: 'Redis Cluster' };
const DEFAULT_HOST = '127.0.0.1';
const DEFAULT_PORT = 6379;
const DEFAULT_DB = 0;

/**
 * @param {*} redis `option.redis`
 * @param {Object} env its `DWORKER_REDIS_URL` stands for an absent `option.redis`
 * @returns {{coordinator: Object, pub: ?Object, sub: ?Object}} with the application's own client objects
 * @throws {Error} code `DW_ERR_CONFIG`
 */
function normalizeRedis(redis, env) {
  if (redis === undefined || redis === null) {
    const url = env[ENVIRONMENT_URL];
    return { coordinator: url ? fromUrl(url, ENVIRONMENT_URL) : fromParts({}, 'redis') };
  }
  if (typeof redis === 'string') return { coordinator: fromUrl(redis, 'redis') };
  if (typeof redis !== 'object' || Array.isArray(redis) || typeof redis.quit === 'function') {
    throw refusal(`${FORMS}, or an object (a client object belongs in redis.pub)`, 'redis', redis);
  }
  return fromObject(redis);
}

/** Each option is looked at once, so that a getter cannot change its mind. */
function fromObject({ url, host, port, path, username, password, db, pub, sub, tls, sentinels, cluster }) {
  for (const [key, value] of Object.entries({ tls, sentinels, cluster })) {
    if (value) throw notSupportedYet(NOT_YET[key], `redis.${key}`);
  }
  const given = { url, host, port, path, username, password, db, pub: pub ?? undefined, sub: sub ?? undefined };
  return { coordinator: withAccount(place(given), given), pub: given.pub, sub: given.sub };
}

function place(given) {
  if (given.pub !== undefined || given.sub !== undefined) {
    // host and port beside client objects had no effect in the original, so they have none here
    refuseBeside(given, ['url', 'path'], 'redis.pub or redis.sub');
    const { facts, name } = readClients({ pub: given.pub, sub: given.sub, passwordKnown: Boolean(given.password) });
    return fromParts(facts, name);
  }
  if (given.url === undefined || given.url === null) return fromParts(given, 'redis');
  refuseBeside(given, ['host', 'port', 'path'], 'redis.url');
  return fromUrl(given.url, 'redis.url');
}

function refuseBeside(given, keys, other) {
  for (const key of keys) {
    if (given[key] !== undefined && given[key] !== null) throw secretRefusal(`nothing beside ${other}`, `redis.${key}`, given[key]);
  }
}

function fromUrl(text, name) {
  const parts = parseRedisUrl(text, name);
  return parts.memory === undefined ? fromParts(parts, name) : { kind: 'memory', name: parts.memory };
}

function fromParts(parts, name) {
  const read = reader(parts, `${name}.`);
  return {
    kind: 'redis',
    host: read('host', null, orNone(host)) ?? DEFAULT_HOST,
    port: read('port', null, orNone(port)) ?? DEFAULT_PORT,
    path: read('path', null, orNone(socketPath)),
    ...account(parts, name, DEFAULT_DB),
  };
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
  return {
    ...coordinator,
    username: own.username ?? coordinator.username,
    password: own.password ?? coordinator.password,
    db: own.db ?? coordinator.db,
  };
}

module.exports.normalizeRedis = normalizeRedis;
