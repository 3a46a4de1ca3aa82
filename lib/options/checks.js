/**
 * What a single option value must be.
 *
 * Each check takes (value, name), returns the value in the type and unit of the core, and throws otherwise.
 */
'use strict';

const { isIPv6 } = require('node:net');
const { NAME_BYTES, checkId, checkName } = require('./arguments');
const { refusal, secretRefusal } = require('./refusal');

/** Timers of Node.js end here (24.8 days); a longer one fires at once there. */
const LONGEST_TIMER = 2 ** 31 - 1;
const HIGHEST_PORT = 65535;
/** Redis counts its databases in a C int. */
const HIGHEST_DATABASE = 2 ** 31 - 1;

/**
 * Gives a check what the reference page and the test of the types say of it.
 *
 * @param {function(*, string): *} check
 * @param {string} form for the reference page
 * @param {string} type in TypeScript
 */
function described(check, form, type) {
  return Object.assign(check, { form, type });
}

/** The id of a broker. */
function id(value, name) {
  checkId(name, value);
  return value;
}

/** A namespace or a cluster's name. */
const label = described((value, name) => {
  checkName(name, value);
  return value;
}, `string, at most ${NAME_BYTES} bytes`, 'string');

function inRange(what, min, max, accepts) {
  return (value, name) => {
    if (!accepts(value) || value < min || value > max) throw refusal(`${what} from ${min} to ${max}`, name, value);
    return value;
  };
}

/** An integer. */
function integer(min, max) {
  const form = max === Number.MAX_SAFE_INTEGER ? `integer, at least ${min}` : `integer, ${min} to ${max}`;
  return described(inRange('an integer', min, max, Number.isInteger), form, 'number');
}

/** Milliseconds, rounded up: the core counts whole ones, and nothing may end early. */
function milliseconds(min, max = LONGEST_TIMER) {
  const check = inRange('a number of milliseconds', min, max, Number.isFinite);
  return described((value, name) => Math.ceil(check(value, name)), min === 0 ? 'ms' : `ms, at least ${min}`, 'number');
}

/** Seconds, given on as whole milliseconds, rounded up. */
function seconds(min) {
  const check = inRange('a number of seconds', min, Math.floor(LONGEST_TIMER / 1000), Number.isFinite);
  return described((value, name) => Math.ceil(check(value, name) * 1000), '**seconds**', 'number');
}

/** An integer or its digits, as Node's own `net` takes a port: such values often come from the environment. */
function integerOrDigits(what, min, max) {
  const accepts = (value) => Number.isInteger(value) || (typeof value === 'string' && /^\d{1,10}$/.test(value));
  const check = inRange(what, min, max, accepts);
  return described((value, name) => Number(check(value, name)), `integer or its digits, ${min} to ${max}`, 'number | string');
}

const port = integerOrDigits('a port', 1, HIGHEST_PORT);
/** A port to listen on; 0 is a free one. */
const portOrFree = integerOrDigits('a port', 0, HIGHEST_PORT);
const database = integerOrDigits('a database number', 0, HIGHEST_DATABASE);

/** One of these words. */
function oneOf(...words) {
  const quoted = words.map((word) => `'${word}'`);
  const what = quoted.join(' or ');
  const check = (value, name) => {
    if (!words.includes(value)) throw refusal(what, name, value);
    return value;
  };
  return described(check, quoted.map((word) => `\`${word}\``).join(' or '), quoted.join(' | '));
}

/** A host name or an IP address. An IPv6 address may be in brackets, which are removed. */
const host = described((value, name) => {
  const bare = typeof value === 'string' ? value.replace(/^\[(.*)\]$/, '$1') : '';
  const isHostName = bare === value && /^[^\s/\\@:?#[\]\0]{1,253}$/.test(bare) && bare.isWellFormed();
  if (!isHostName && !isIPv6(bare)) throw refusal('a host name or an IP address', name, value);
  return bare;
}, 'host name or IP address', 'string');

/** The path of a Unix socket. */
const socketPath = described((value, name) => {
  if (typeof value !== 'string' || value === '' || value.includes('\0') || !value.isWellFormed()) {
    throw refusal('the path of a Unix socket', name, value);
  }
  return value;
}, 'path', 'string');

/** A user name or a password; an empty one is none. */
const credential = described((value, name) => {
  if (typeof value !== 'string' || !value.isWellFormed()) throw secretRefusal('a string', name, value);
  return value === '' ? null : value;
}, 'string', 'string');

/** An object that holds options. */
function object(value, name) {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refusal('an object', name, value);
  return value;
}

/** `true` or `false`. */
const boolean = described((value, name) => {
  if (typeof value !== 'boolean') throw refusal('a boolean', name, value);
  return value;
}, 'boolean', 'boolean');

/** As `check`, where `null` says "none", as an absent option does. */
function orNone(check) {
  return described((value, name) => (value === null ? null : check(value, name)), check.form, `${check.type} | null`);
}

/**
 * Reads the options of one object: `read(key, fallback, check)` is the checked value, or `fallback` without one. Each
 * key is looked at once, so that a getter cannot tell the check one thing and the core another.
 */
function reader(source, prefix = '') {
  return (key, fallback, check) => {
    const value = source[key];
    return value === undefined ? fallback : check(value, prefix + key);
  };
}

module.exports.described = described;
module.exports.id = id;
module.exports.label = label;
module.exports.integer = integer;
module.exports.milliseconds = milliseconds;
module.exports.seconds = seconds;
module.exports.port = port;
module.exports.portOrFree = portOrFree;
module.exports.database = database;
module.exports.host = host;
module.exports.socketPath = socketPath;
module.exports.credential = credential;
module.exports.object = object;
module.exports.boolean = boolean;
module.exports.oneOf = oneOf;
module.exports.orNone = orNone;
module.exports.reader = reader;
