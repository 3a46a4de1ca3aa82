/**
 * How long a broker owns its workers without word from the coordinator, and what it does then: `option.lease`,
 * `option.onRedisLoss`; when a thread that stands still is told of: `option.stall`.
 */
'use strict';

const { refusal } = require('./refusal');
const { boolean, milliseconds, object, oneOf, reader } = require('./checks');

const DEFAULT_TTL = 5000;
const DEFAULT_RENEW = 500;
/** The core starts no handler in the last second of a lease, so renewals must come before it. */
const GUARD = 1000;
/** A broker gets no new workers once its thread stood still this long; it is told of later than that. */
const SEEN_STALLED = 2000;
/** One renewal may be lost without a broker suspending itself. */
const RENEWALS = 2;

/**
 * @param {*} lease
 * @param {string} name
 * @returns {{ttl: number, renew: number, strict: boolean}} milliseconds
 */
function normalizeLease(lease, name) {
  const given = object(lease, name);
  const read = reader(given, `${name}.`);
  const ttl = read('ttl', DEFAULT_TTL, milliseconds(1));
  const renew = read('renew', DEFAULT_RENEW, milliseconds(1));
  const strict = read('strict', false, boolean);
  const most = Math.floor((ttl - GUARD) / RENEWALS);
  if (renew <= most) return { ttl, renew, strict };
  const reason = 'a broker stops its handlers 1000 ms before its lease ends and must be able to lose one renewal until then';
  if (most < 1 || given.renew === undefined) {
    throw refusal(`at least ${renew * RENEWALS + GUARD} ms (2 × lease.renew + 1000: ${reason})`, `${name}.ttl`, ttl);
  }
  throw refusal(`at most ${most} ms ((lease.ttl − 1000) / 2: ${reason})`, `${name}.renew`, renew);
}

/**
 * @param {*} stall
 * @param {string} name
 * @returns {{after: number, action: string}} milliseconds
 */
function normalizeStall(stall, name) {
  const read = reader(object(stall, name), `${name}.`);
  return { after: read('after', 30000, milliseconds(SEEN_STALLED)), action: read('action', 'report', oneOf('report', 'abort')) };
}

module.exports.normalizeLease = normalizeLease;
module.exports.normalizeStall = normalizeStall;
module.exports.onRedisLoss = oneOf('suspend', 'serve');
