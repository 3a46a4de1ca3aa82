/**
 * What a wrong argument or option is answered with: one form of message for the whole package.
 */
'use strict';

const { failure } = require('../base/errors');
const { LIMIT } = require('../protocol');

const { ID_BYTES, METHOD_BYTES } = LIMIT;
/** Bytes of the name of a worker class or cluster (UTF-8): leaves room for `#n` in an id made from it. */
const NAME_BYTES = 256;
/** Characters of a received string that a message repeats. */
const SHOWN = 64;

/**
 * "Expected <what> for <name> but received <value> of type <type>", with code `DW_ERR_CONFIG`.
 *
 * @param {string} what what would be right, with its article: `'a positive integer'`
 * @param {string} name the argument or option: `'rpcTimeout'`, `'redis.port'`
 * @param {*} value what came instead. Objects are named, never printed: they may hold secrets
 * @returns {Error}
 */
function badArgument(what, name, value) {
  return failure('DW_ERR_CONFIG', `Expected ${what} for ${name} but received ${show(value)} of type ${typeof value}`);
}

function show(value) {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value.length > SHOWN ? `${value.slice(0, SHOWN)}…` : value);
    case 'function':
      return 'a function';
    case 'object':
      return value === null ? 'null' : Object.prototype.toString.call(value);
    default:
      return String(value);
  }
}

/** True where `text` takes at most `limit` bytes in UTF-8; a UTF-16 unit takes at most three. */
function fits(text, limit) {
  return text.length * 3 <= limit || Buffer.byteLength(text) <= limit;
}

/** True for a non-empty string of at most `limit` bytes without lone surrogates, which UTF-8 cannot carry. */
function isName(value, limit) {
  return typeof value === 'string' && value.length > 0 && fits(value, limit) && value.isWellFormed();
}

/** Throws unless `value` can be the id of a worker or a broker. */
function checkId(name, value) {
  if (!isName(value, ID_BYTES)) {
    throw badArgument(`a non-empty string of at most ${ID_BYTES} bytes`, name, value);
  }
}

/** Throws unless `value` can name a worker class or a cluster. */
function checkName(name, value) {
  if (!isName(value, NAME_BYTES)) {
    throw badArgument(`a non-empty string of at most ${NAME_BYTES} bytes`, name, value);
  }
}

/** Throws unless `value` can name a method; the empty string can, as ever. What begins with NUL is the package's own. */
function checkMethod(value) {
  if (typeof value !== 'string' || !fits(value, METHOD_BYTES) || value.charCodeAt(0) === 0) throw wrongMethod(value);
}

function wrongMethod(value) {
  return badArgument(`a string of at most ${METHOD_BYTES} bytes`, 'method', value);
}

/** Throws unless `value` is a callback or absent. */
function checkCallback(value) {
  if (value !== undefined && value !== null && typeof value !== 'function') throw badArgument('a function', 'callback', value);
}

/** `value`, or `{}` where it is absent; throws on anything but an object. */
function optionsObject(name, value) {
  if (value === undefined || value === null) return {};
  if (typeof value !== 'object') throw badArgument('an object', name, value);
  return value;
}

module.exports.NAME_BYTES = NAME_BYTES;
module.exports.badArgument = badArgument;
module.exports.fits = fits;
module.exports.checkId = checkId;
module.exports.checkName = checkName;
module.exports.checkMethod = checkMethod;
module.exports.checkCallback = checkCallback;
module.exports.optionsObject = optionsObject;
