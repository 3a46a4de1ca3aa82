/**
 * Durations as classes and calls give them: a number of ms, or a text such as `'10m'`.
 */
'use strict';

const UNITS = Object.freeze({ ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 });
const TEXT = /^(\d{1,15})(ms|s|m|h|d)$/;
/** 100 years: beyond it a date may not exist. */
const LONGEST = 100 * 366 * UNITS.d;

/** In ms, from 1; `undefined` where `value` is no duration. */
function durationOf(value) {
  const ms = typeof value === 'string' ? read(value) : value;
  return Number.isInteger(ms) && ms >= 1 && ms <= LONGEST ? ms : undefined;
}

function read(text) {
  const parts = TEXT.exec(text);
  return parts === null ? undefined : Number(parts[1]) * UNITS[parts[2]];
}

module.exports.durationOf = durationOf;
