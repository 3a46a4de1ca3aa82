/**
 * Which sentinels name the master, as the core's `SentinelConfig`.
 */
'use strict';

const { credential, host, object, orNone, port, reader } = require('./checks');
const { normalizeTls } = require('./redis-tls');
const { refusal, secretRefusal } = require('./refusal');

const DEFAULT_PORT = 26379;
/** What Redis allows in the name of a master. */
const NAME = /^[\w.-]{1,256}$/;
const MOST_SENTINELS = 64;

/**
 * @param {Object} given `sentinels`, `name`, `sentinelUsername`, `sentinelPassword`, `sentinelTls`
 * @param {string} name the option that holds them
 * @param {?Object} tls what the connections to Redis use; the sentinels' too unless `sentinelTls` says otherwise
 * @returns {Object}
 * @throws {Error} code `DW_ERR_CONFIG`
 */
function normalizeSentinel(given, name, tls) {
  const read = reader(given, `${name}.`);
  const { sentinels, sentinelTls } = given;
  if (!Array.isArray(sentinels) || sentinels.length < 1 || sentinels.length > MOST_SENTINELS) {
    throw refusal(`an array of 1 to ${MOST_SENTINELS} objects {host, port}`, `${name}.sentinels`, sentinels);
  }
  return {
    name: read('name', undefined, masterName) ?? masterName(undefined, `${name}.name`),
    nodes: sentinels.map((each, index) => node(each, `${name}.sentinels[${index}]`)),
    username: read('sentinelUsername', null, orNone(credential)),
    password: read('sentinelPassword', null, orNone(credential)),
    tls: sentinelTls === undefined || sentinelTls === null ? tls : normalizeTls(sentinelTls, `${name}.sentinelTls`),
  };
}

function node(given, name) {
  const read = reader(object(given, name), `${name}.`);
  return { host: read('host', undefined, host) ?? host(undefined, `${name}.host`), port: read('port', null, orNone(port)) ?? DEFAULT_PORT };
}

/** Hidden in the error: in a URL that was not escaped it may be the rest of a password. */
function masterName(value, name) {
  if (typeof value !== 'string' || !NAME.test(value)) {
    throw secretRefusal("the sentinels' name of the master: letters, digits and . _ -", name, value);
  }
  return value;
}

module.exports.normalizeSentinel = normalizeSentinel;
