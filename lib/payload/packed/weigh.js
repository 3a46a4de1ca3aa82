/**
 * Whether a value is one that JSON text carries slowly.
 *
 * JSON takes longer than the encoding `packed` for long strings, for fractions, and for many objects; for everything small it is faster, on
 * every version of Node.js (docs/performance.md). So this must cost next to nothing for a small value.
 */
'use strict';

/** From here on a string inside of an object makes it heavy, UTF-16 units. */
const LONG_STRING = 512;
/** Properties, and elements that are objects, that are looked at: a value that has more is heavy. */
const MANY = 64;
/** Of an array, how many elements are looked at. The one in the middle of a long array speaks for the others. */
const SAMPLE = 16;

let left = 0;

/** `value`: an object or array. */
function isHeavy(value) {
  left = MANY;
  return weigh(value);
}

function weigh(value) {
  if (Array.isArray(value)) return weighArray(value);
  for (const name in value) {
    if (weighItem(value[name])) return true;
  }
  return false;
}

function weighArray(array) {
  const { length } = array;
  if (length > MANY / 2 && isCostly(array[length >> 1])) return true;
  const end = Math.min(length, SAMPLE);
  for (let at = 0; at < end; at += 1) if (weighItem(array[at])) return true;
  return false;
}

function isCostly(value) {
  return typeof value === 'number' ? !Number.isInteger(value) : typeof value === 'object' && value !== null;
}

function weighItem(value) {
  if (typeof value === 'string') return value.length >= LONG_STRING;
  left -= 1;
  if (left < 0) return true;
  return typeof value === 'object' && value !== null && weigh(value);
}

module.exports.isHeavy = isHeavy;
