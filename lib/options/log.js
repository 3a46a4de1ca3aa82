/**
 * Who gets a broker's log from its first moment on: `option.log`.
 */
'use strict';

const { refusal } = require('./refusal');

const LEVELS = ['debug', 'info', 'warn', 'error'];

/**
 * @param {*} value
 * @param {string} name
 * @returns {undefined|false|Function|Object} nothing, no warnings either, a listener of `'log'`, or a logger
 */
function logOption(value, name) {
  if (value === undefined || value === false || typeof value === 'function' || isLogger(value)) return value;
  throw refusal('false, a function or a logger with the functions debug, info, warn and error', name, value);
}

/** As those of pino: each function takes an object of fields and a message. */
function isLogger(value) {
  return value !== null && typeof value === 'object' && LEVELS.every((level) => typeof value[level] === 'function');
}

module.exports.logOption = logOption;
