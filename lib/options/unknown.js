/**
 * Options that the package does not know, and what was probably meant.
 */
'use strict';

/** Names that other packages use for what is called otherwise here, by the table that they are looked for in. */
const ELSEWHERE = {
  broker: {
    namespace: 'ns', prefix: 'ns', keyPrefix: 'ns', cluster: 'clustername', timeout: 'rpcTimeout', url: 'redis', redisUrl: 'redis', socketTimeout: 'socTimeout',
    logger: 'log', Promise: 'promise', password: 'redis.password', username: 'redis.username', db: 'redis.db', certificates: 'tls',
  },
  redis: {
    socket: 'host, port, path and tls directly in redis', uri: 'url', connectionString: 'url', hostname: 'host', address: 'host', server: 'host',
    unix: 'path', socketPath: 'path', user: 'username', pass: 'password', auth: 'password', auth_pass: 'password', database: 'db', ssl: 'tls',
    master: 'name', masterName: 'name', sentinel: 'sentinels', client: 'pub', publisher: 'pub', subscriber: 'sub', keyPrefix: 'ns of the broker', prefix: 'ns of the broker',
  },
  create: { recoverable: 'attributes.recoverable', attribute: 'attributes', recover: 'attributes.recoverable', workerId: 'id', data: 'attributes', name: 'id' },
  destroy: { recover: 'noRecover (the opposite)', noRecovery: 'noRecover' },
  register: { cluster: 'clustername' },
  list: { class: 'name', classname: 'name', cluster: 'clustername', owner: 'broker', count: 'limit', pageSize: 'limit' },
};
/** A table with more names than this is not listed in a message. */
const MOST_LISTED = 20;

/**
 * The names in an object that a table does not have. Those that hold `undefined` or `null` say nothing.
 *
 * @param {Object} table
 * @param {Object} given
 * @returns {string[]}
 */
function unknownKeys(table, given) {
  return Object.keys(given).filter((key) => !Object.hasOwn(table, key) && given[key] !== undefined && given[key] !== null);
}

/**
 * The names in an object that a table does not have, each as a sentence that says what was probably meant.
 *
 * @param {Object} table
 * @param {Object} given
 * @param {string} [prefix] of the names: `'lease.'`
 * @param {Object} [elsewhere] one of {@link ELSEWHERE}
 * @returns {string[]} `'Unknown option rpcTimeOut. Did you mean rpcTimeout?'`
 */
function unknownOptions(table, given, prefix = '', elsewhere = {}) {
  return unknownKeys(table, given).map((key) => `Unknown option ${prefix}${key}. ${hint(table, key, elsewhere)}`);
}

/** Whether there may be any: quicker than to name them. */
function hasUnknown(table, given) {
  for (const key in given) if (!(key in table)) return true;
  return false;
}

/**
 * The known name that an unknown one is probably a misspelling of.
 *
 * @param {Object} table
 * @param {string} key
 * @param {Object} elsewhere one of {@link ELSEWHERE}
 * @returns {string} `'Did you mean rpcTimeout?'`, or what can be had
 */
function hint(table, key, elsewhere) {
  const meant = (Object.hasOwn(elsewhere, key) && elsewhere[key]) || nearest(key, Object.keys(table)) || withinGroup(table, key);
  if (meant) return `Did you mean ${meant}?`;
  const names = Object.keys(table);
  return names.length <= MOST_LISTED ? `Known are ${names.join(', ')}.` : 'See docs/reference/options.md.';
}

/** `'retries.duration'` for `duration`. */
function withinGroup(table, key) {
  const groups = Object.entries(table).filter(([, { group }]) => group !== undefined && Object.hasOwn(group, key));
  return groups.map(([name]) => `${name}.${key}`).join(' or ');
}

/** The one of `names` that `key` is a slip of: another case, or at most `most` letters wrong. */
function nearest(key, names, most = key.length < 5 ? 1 : 2) {
  let best;
  let least = most + 1;
  for (const name of names) {
    const far = distance(key.toLowerCase(), name.toLowerCase(), least);
    if (far < least) [best, least] = [name, far];
  }
  return best;
}

/** How many letters must be put in, left out, changed or swapped with the next one; `limit` where it is at least that. */
function distance(a, b, limit) {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let before = [];
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const same = a[row - 1] === b[column - 1] ? 0 : 1;
      current[column] = Math.min(above[column] + 1, current[column - 1] + 1, above[column - 1] + same);
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (swapped) current[column] = Math.min(current[column], before[column - 2] + 1);
    }
    [before, above] = [above, current];
  }
  return Math.min(above[b.length], limit);
}

module.exports.hasUnknown = hasUnknown;
module.exports.unknownOptions = unknownOptions;
module.exports.ELSEWHERE = ELSEWHERE;
module.exports.nearest = nearest;
