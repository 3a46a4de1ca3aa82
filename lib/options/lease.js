/**
 * How the times of a lease must fit together: `option.lease`.
 */
'use strict';

const { refusal } = require('./refusal');

const DEFAULT_RENEW = 500;
/** The core starts no handler in the last second of a lease, so renewals must come before it. */
const GUARD = 1000;
/** One renewal may be lost without a broker suspending itself. */
const RENEWALS = 2;

/**
 * @param {{ttl: number, renew: number}} lease milliseconds
 * @param {string} name
 * @throws {Error} code `DW_ERR_CONFIG`
 */
function checkLease({ ttl, renew }, name) {
  const most = Math.floor((ttl - GUARD) / RENEWALS);
  if (renew <= most) return;
  const reason = 'a broker stops its handlers 1000 ms before its lease ends and must be able to lose one renewal until then';
  if (most < 1 || renew === DEFAULT_RENEW) {
    throw refusal(`at least ${renew * RENEWALS + GUARD} ms (2 × lease.renew + 1000: ${reason})`, `${name}.ttl`, ttl);
  }
  throw refusal(`at most ${most} ms ((lease.ttl − 1000) / 2: ${reason})`, `${name}.renew`, renew);
}

module.exports.DEFAULT_RENEW = DEFAULT_RENEW;
module.exports.checkLease = checkLease;
