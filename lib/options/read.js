/**
 * Reads options by a table (lib/options/table.js): checked, with defaults, under the names that the core uses.
 */
'use strict';

const { object } = require('./checks');
const { ELSEWHERE, unknownOptions } = require('./unknown');

/**
 * Each option is looked at once, so that a getter cannot tell the check one thing and the core another. Options that are read
 * `apart` are left out.
 *
 * @param {Object} table
 * @param {Object} given the application's object
 * @param {string[]} mistakes gets a sentence for each option that is not known
 * @param {string} [prefix] of the names in messages: `'lease.'`
 * @returns {Object}
 * @throws {Error} code `DW_ERR_CONFIG`
 */
function readTable(table, given, mistakes, prefix = '') {
  const result = {};
  for (const [key, option] of Object.entries(table)) {
    if (!option.apart) result[option.field ?? key] = readOption(option, given[key], { name: prefix + key, before: result, mistakes });
  }
  mistakes.push(...unknownOptions(table, given, prefix, prefix === '' ? ELSEWHERE.broker : {}));
  return result;
}

function readOption(option, value, { name, before, mistakes }) {
  if (option.group !== undefined) return readGroup(option, value, name, mistakes);
  if (value !== undefined) return option.check(value, name);
  return typeof option.default === 'function' ? option.default(before) : option.default;
}

/** `none`: the core accepts that the group is absent; `null` means the same. */
function readGroup({ group, none, whole }, value, name, mistakes) {
  if (none && (value === undefined || value === null)) return null;
  const result = readTable(group, value === undefined ? {} : object(value, name), mistakes, `${name}.`);
  if (whole !== undefined) whole(result, name);
  return result;
}

module.exports.readTable = readTable;
