/**
 * Which promises a broker gives: `option.promise`.
 */
'use strict';

const { refusal } = require('./refusal');

/**
 * @param {*} value `'bluebird'`, `'native'` or a constructor
 * @param {string} name
 * @returns {Function} the constructor
 */
function promiseConstructor(value, name) {
  if (value === 'bluebird') return require('bluebird');
  if (value === 'native') return Promise;
  if (!isConstructor(value)) throw refusal("'bluebird', 'native' or a promise constructor", name, value);
  return value;
}

function isConstructor(value) {
  const methods = typeof value === 'function' ? [value.resolve, value.reject, value.prototype?.then] : [undefined];
  return methods.every((method) => typeof method === 'function');
}

module.exports.promiseConstructor = promiseConstructor;
