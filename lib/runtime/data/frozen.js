/**
 * Values that a worker keeps as its data: checked to be JSON, and frozen.
 */
'use strict';

const { types } = require('node:util');
const { badArgument } = require('../../options/arguments');

/** Objects that were frozen here with all that is in them. What a new value shares with an old one is not walked again. */
const frozen = new WeakSet();
/** Deeper data is taken for a cycle. */
const MAX_DEPTH = 200;

/**
 * Freezes the value and all that is in it.
 *
 * @throws {Error} with `DW_ERR_CONFIG` where JSON cannot express it
 */
function freezeData(value) {
  walk(value, MAX_DEPTH, true);
}

/** @throws {Error} with `DW_ERR_CONFIG` where JSON cannot express the value */
function checkData(value) {
  if (value === undefined) throw unusable(value);
  walk(value, MAX_DEPTH, false);
}

function walk(value, depth, freezes) {
  if (value === null || typeof value !== 'object') {
    checkPrimitive(value);
    return;
  }
  if (frozen.has(value)) return;
  if (depth === 0) throw badArgument('a value without cycles', 'data of the worker', value);
  if (isForeign(value)) throw unusable(value);
  if (Array.isArray(value)) for (const each of value) walk(each, depth - 1, freezes);
  else for (const key of Object.keys(value)) if (value[key] !== undefined) walk(value[key], depth - 1, freezes);
  if (!freezes) return;
  Object.freeze(value);
  frozen.add(value);
}

function checkPrimitive(value) {
  const type = typeof value;
  const fits = value === null || type === 'string' || type === 'boolean' || (type === 'number' && Number.isFinite(value));
  if (!fits) throw unusable(value);
}

/** What JSON would turn into something else without a word. */
function isForeign(value) {
  return types.isMap(value) || types.isSet(value) || ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value) || types.isPromise(value);
}

function unusable(value) {
  return badArgument('a value that JSON keeps as it is', 'data of the worker', value);
}

module.exports.checkData = checkData;
module.exports.freezeData = freezeData;
