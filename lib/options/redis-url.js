/**
 * Where a connection URL leads.
 */
'use strict';

const { URLSearchParams } = require('node:url');
const { secretRefusal } = require('./refusal');

/** Valkey's own schemes mean the same as those of Redis. */
const VALKEY = /^valkey(?=s?(?:-sentinel)?:|\+unix:)/;
const FORMS =
  'a URL redis[s]://[user:password@]host[:port][,host[:port]…][/db], redis[s]-sentinel://[user:password@]host[:port][,host[:port]…]/name[/db], ' +
  'redis+unix:///path[?user=&pass=&db=] (or valkey in place of redis) or memory://[name]';
const SENTINEL = /^rediss?-sentinel:\/\/(?:([^/?#]*)@)?([^/?#]*)(?:\/([^/?#]*)(?:\/([^/?#]*))?)?(?:\?([^#]*))?$/;
const NODE = /^(\[[\da-f:.]+\]|[^\s:[\]]+)(?::(\d{1,5}))?$/i;
/** Before the hosts, the hosts, and what follows them. */
const HOSTS = /^(rediss?:\/\/(?:[^/?#]*@)?)([^/?#@]*)(.*)$/s;
const MEMORY = 'memory://';
const LONGEST_MEMORY_NAME = 128;

/**
 * Takes a URL apart; what the parts hold is not checked here.
 *
 * @param {*} given a string or a `URL`
 * @param {string} name the option that holds the URL
 * @returns {Object} `{memory}` with the coordinator's name, or `host`, `port`, `path`, `username`, `password`, `db`, each
 *   a string or undefined, `tls: true` if the scheme asks for it, and for sentinels what `option.redis` calls them
 * @throws {Error} without any part of the URL but its scheme
 */
function parseRedisUrl(given, name) {
  if (typeof given !== 'string' && !(given instanceof URL)) throw secretRefusal(FORMS, name, given);
  const text = String(given).replace(VALKEY, 'redis');
  if (text.startsWith(MEMORY)) return { memory: memoryName(text, name) };
  const scheme = /^([a-z+-]+:)\/\//.exec(text)?.[1];
  if (scheme === 'redis:') return nodes(text, name) ?? tcp(parse(text, name), name);
  if (scheme === 'rediss:') return { ...(nodes(text, name) ?? tcp(parse(text, name), name)), tls: true };
  if (scheme === 'redis-sentinel:') return sentinel(text, name);
  if (scheme === 'rediss-sentinel:') return { ...sentinel(text, name), tls: true };
  if (scheme === 'redis+unix:') return unix(parse(text, name), name);
  throw secretRefusal(FORMS, name, text);
}

function memoryName(text, name) {
  const found = text.slice(MEMORY.length).replace(/\/$/, '');
  if (found.length > LONGEST_MEMORY_NAME || !/^[\w.~-]*$/.test(found)) {
    throw secretRefusal(`memory:// with a name of at most ${LONGEST_MEMORY_NAME} letters, digits and . _ ~ -`, name, text);
  }
  return found;
}

function tcp(url, name) {
  return {
    host: url.hostname || undefined,
    port: url.port || undefined,
    username: decoded(url.username, name) || undefined,
    password: decoded(url.password, name) || undefined,
    db: databaseNumber(url.pathname.slice(1) || url.searchParams.get('db'), name),
  };
}

/** Several hosts are nodes of a Redis Cluster. The parser of URLs knows one host, so it gets the first. */
function nodes(text, name) {
  const [, before, hosts = '', after] = HOSTS.exec(text) ?? [];
  if (!hosts.includes(',')) return undefined;
  const each = hosts.split(',').map((node) => NODE.exec(node));
  if (each.includes(null)) throw secretRefusal(FORMS, name, text);
  const { username, password, db } = tcp(parse(before + each[0][0] + after, name), name);
  return { username, password, db, nodes: each.map(([, host, port]) => ({ host, port })) };
}

/** By hand: the parser of URLs knows one host. The account is the one on Redis; the account on the sentinels is in the query. */
function sentinel(text, name) {
  const [, account = '', hosts, master = '', db, query = ''] = SENTINEL.exec(text) ?? [];
  const nodes = (hosts ?? '').split(',').map((each) => NODE.exec(each));
  if (nodes.includes(null)) throw secretRefusal(FORMS, name, text);
  const [, username, password = ''] = /^([^:]*)(?::(.*))?$/s.exec(account);
  const parameters = new URLSearchParams(query);
  return {
    sentinels: nodes.map(([, host, port]) => ({ host, port })),
    name: decoded(master, name),
    username: decoded(username, name) || undefined,
    password: decoded(password, name) || undefined,
    db: databaseNumber(db || parameters.get('db'), name),
    sentinelUsername: parameters.get('sentinelUsername') ?? undefined,
    sentinelPassword: parameters.get('sentinelPassword') ?? undefined,
  };
}

/** The account is in the query, because a URL without a host has no other place for it. */
function unix(url, name) {
  if (url.host !== '' || url.pathname.length < 2) {
    throw secretRefusal('redis+unix:// with three slashes and the path of a socket', name, url.href);
  }
  return {
    path: decoded(url.pathname, name),
    username: url.searchParams.get('user') ?? undefined,
    password: url.searchParams.get('pass') ?? undefined,
    db: databaseNumber(url.searchParams.get('db'), name),
  };
}

/** Checked for its digits here: behind a `/` that was not escaped it may be the rest of a password. */
function databaseNumber(digits, name) {
  if (digits === null || digits === undefined || digits === '') return undefined;
  if (!/^\d+$/.test(digits)) throw secretRefusal('a URL with a database number behind its host', name, digits);
  return digits;
}

/** The parser's own error carries the URL, password included, so it goes no further. */
function parse(text, name) {
  let url;
  try {
    url = new URL(text);
  } catch {
    throw secretRefusal(FORMS, name, text);
  }
  if (url.hash !== '') throw secretRefusal('a URL with # written as %23', name, text);
  return url;
}

function decoded(part, name) {
  try {
    return decodeURIComponent(part);
  } catch {
    throw secretRefusal('a URL with % written as %25', name, part);
  }
}

module.exports.parseRedisUrl = parseRedisUrl;
module.exports.FORMS = FORMS;
