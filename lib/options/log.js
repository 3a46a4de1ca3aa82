/**
 * A listener of a broker's log from its first moment on, or none at all: `option.log`.
 */
'use strict';

const { refusal } = require('./refusal');

/**
 * @param {*} value
 * @param {string} name
 * @returns {undefined|false|Function}
 */
function logOption(value, name) {
  if (value === undefined || value === false || typeof value === 'function') return value;
  throw refusal('false or a function', name, value);
}

module.exports.logOption = logOption;
