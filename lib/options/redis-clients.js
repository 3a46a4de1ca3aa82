/**
 * Which server a Redis client object of the application is connected to, read from its public properties.
 */
'use strict';

const { badArgument } = require('./arguments');
const { failure } = require('../base/errors');

const WANTED = 'a client object of redis 0.12 to 6 or ioredis that names its server (no pool or cluster, no sentinel of redis 5 and 6)';
const LOOPBACK = new Set(['localhost', '127.0.0.1', '::1']);

/** One entry a family of client packages: how its objects are known, and what they say. Reading changes nothing in them. */
const FAMILIES = [
  {
    // redis 0.12: the database is known to `select()` alone
    knows: (client) => isObject(client.connectionOption),
    read: (client) => ({
      ...address(client.connectionOption),
      password: client.auth_pass,
      db: selected(client),
    }),
  },
  {
    // redis 2 and 3
    knows: (client) => isObject(client.connection_options),
    read: (client) => ({
      ...address(client.connection_options),
      username: client.auth_user,
      password: client.auth_pass,
      db: selected(client),
      tls: client.options?.tls,
      keyPrefix: client.options?.prefix,
    }),
  },
  {
    // ioredis 5 and 6: a path goes before host and port there too; a cluster says isCluster
    knows: (client) => client.isCluster === false && isObject(client.options),
    read: ({ options, condition }) => ({
      ...(options.sentinels ? sentinels(options) : { ...address(options), tls: options.tls }),
      username: options.username,
      password: options.password,
      db: condition?.select ?? options.db,
      keyPrefix: options.keyPrefix,
    }),
  },
  {
    // redis 4 to 6: a URL has been taken apart into the other options
    knows: (client) => typeof client.isReady === 'boolean' && isObject(client.options),
    read: ({ options }) => ({
      host: 'localhost',
      ...address(options.socket ?? {}),
      username: options.username,
      password: options.password,
      db: options.database,
      // its TLS options are among those of the socket
      tls: options.socket?.tls && tlsOptions(options.socket),
      credentialsProvider: options.credentialsProvider,
    }),
  },
];

/**
 * @param {{pub: ?Object, sub: ?Object, passwordKnown: boolean}} clients the application's objects, at least one of
 *   them. `passwordKnown`: the options also have a password, so the client's is not needed
 * @returns {{facts: Object, name: string}} host, port, path, username, password, db, tls and sentinels as the client has
 *   them (of `pub` if it is given), and the name of the option that they come from
 */
function readClients({ pub, sub, passwordKnown }) {
  const found = [['redis.pub', pub], ['redis.sub', sub]]
    .filter(([, client]) => client !== undefined)
    .map(([name, client]) => ({ name, facts: readClient(client, name, passwordKnown) }));
  const [first, second] = found;
  if (second !== undefined && !agree(first.facts, second.facts)) {
    throw failure('DW_ERR_CONFIG', `Expected redis.sub to be connected to the same server as redis.pub (${place(first.facts)}) but it is connected to ${place(second.facts)}`);
  }
  return first;
}

function readClient(client, name, passwordKnown) {
  const family = isObject(client) ? FAMILIES.find(({ knows }) => knows(client)) : undefined;
  if (family === undefined) throw badArgument(WANTED, name, client);
  const { credentialsProvider, keyPrefix, ...facts } = family.read(client);
  if (keyPrefix) {
    throw failure('DW_ERR_CONFIG', `Expected a client object without a key prefix for ${name} but received one with a prefix, which dworker would not use. Remove keyPrefix (or prefix) and set option.ns instead`);
  }
  const hasPassword = passwordKnown || facts.password;
  if (credentialsProvider && !hasPassword) {
    throw failure('DW_ERR_CONFIG', `Expected redis.username and redis.password beside ${name}, because its credentialsProvider cannot be read`);
  }
  return { ...facts, username: asText(facts.username), password: asText(facts.password) };
}

/** ioredis takes `tls` for the master only with `enableTLSForSentinelMode`; the sentinels have an option of their own. */
function sentinels(options) {
  if (options.role === 'slave' || options.natMap) {
    throw failure('DW_ERR_CONFIG', 'Expected a client object that connects to the master at the address that its sentinels announce, but received one with role "slave" or with natMap');
  }
  const { sentinelUsername, sentinelPassword, sentinelTLS } = options;
  const tls = options.enableTLSForSentinelMode ? options.tls : undefined;
  return { sentinels: options.sentinels, name: options.name, sentinelUsername, sentinelPassword, tls, sentinelTls: sentinelTLS ?? false };
}

function tlsOptions({ ca, cert, key, passphrase, servername, rejectUnauthorized, pfx, secureContext, checkServerIdentity }) {
  return { ca, cert, key, passphrase, servername, rejectUnauthorized, pfx, secureContext, checkServerIdentity };
}

function address({ host, port, path }) {
  return path ? { path } : { ...(host && { host }), ...(port && { port }) };
}

/**
 * The database of the last `select()`, those included that still wait for the connection or their answer: `select()`
 * right after `createClient()` is the usual way with redis 0.12, which has no option for it.
 */
function selected(client) {
  const waiting = [client.command_queue, client.offline_queue].flatMap(commands).filter((command) => command?.command === 'select');
  return waiting.length > 0 ? waiting.at(-1).args?.[0] : client.selected_db;
}

/** The queue of redis 0.12 has `forEach`, those of 2 and 3 have `toArray`. */
function commands(queue) {
  if (typeof queue?.toArray === 'function') return queue.toArray();
  const all = [];
  queue?.forEach?.((command) => all.push(command));
  return all;
}

/** A number works as a password in these packages. */
function asText(value) {
  return typeof value === 'number' ? String(value) : value;
}

/**
 * The same server and, where `sub` names one, the same database: a subscriber needs none, so it is often left at 0.
 * Accounts may differ: one of them may be allowed to subscribe alone.
 */
function agree(pub, sub) {
  const db = Number(sub.db ?? 0);
  return server(pub) === server(sub) && (db === 0 || db === Number(pub.db ?? 0));
}

function server({ host, port, path, sentinels, name: master }) {
  if (sentinels) return `the master ${master} of sentinels`;
  const name = String(host ?? 'localhost').toLowerCase();
  return path ?? `${LOOPBACK.has(name) ? 'localhost' : name} port ${port ?? 6379}`;
}

function place(facts) {
  return `${server(facts)} db ${facts.db ?? 0}`;
}

function isObject(value) {
  return typeof value === 'object' && value !== null;
}

module.exports.readClients = readClients;
