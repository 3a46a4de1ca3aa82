/**
 * The error for an option that cannot be taken: none of its messages shows a credential.
 */
'use strict';

const { badArgument } = require('./arguments');
const { failure } = require('../base/errors');

/** A string with one of these may be a URL with a password, put where it does not belong. */
const MAY_HOLD_CREDENTIALS = /@|:\/\//;

/**
 * As `badArgument`, with the value hidden where it may hold a credential.
 *
 * @param {string} what what would be right, with its article
 * @param {string} name the option: `'redis.port'`
 * @param {*} value what came instead
 * @returns {Error}
 */
function refusal(what, name, value) {
  return typeof value === 'string' && MAY_HOLD_CREDENTIALS.test(value) ? secretRefusal(what, name, value) : badArgument(what, name, value);
}

/** As `refusal`, for options that hold credentials: the message names only the type of the value. */
function secretRefusal(what, name, value) {
  if (value === null || value === undefined) return badArgument(what, name, value);
  return failure('DW_ERR_CONFIG', `Expected ${what} for ${name} but received (hidden) of type ${typeof value}`);
}

module.exports.refusal = refusal;
module.exports.secretRefusal = secretRefusal;
