/**
 * The table of error codes that a user of the package can meet: the mirror of `src/base/error.rs`.
 */
'use strict';

/**
 * Code → what `error.delivered` says where the place that fails knows nothing better: whether the receiver may have
 * run the work. A test compares this table with the one of the core and with `index.d.ts`.
 */
const CODES = Object.freeze({
  DW_ERR_REJECTED: 'yes',
  DW_ERR_TIMEOUT: 'unknown',
  DW_ERR_PEER_LOST: 'unknown',
  DW_ERR_ABORTED: 'unknown',
  DW_ERR_WORKER_NOT_FOUND: 'no',
  DW_ERR_NO_BROKER: 'no',
  DW_ERR_CLASS_UNKNOWN: 'no',
  DW_ERR_UNREACHABLE: 'no',
  DW_ERR_SUSPENDED: 'no',
  DW_ERR_OVERLOADED: 'no',
  DW_ERR_TOO_LARGE: 'no',
  DW_ERR_STATE: 'no',
  DW_ERR_CONFIG: 'no',
  DW_ERR_REDIS: 'no',
  DW_ERR_BROKER_ID_IN_USE: 'no',
  DW_ERR_ADDRESS_IN_USE: 'no',
  DW_ERR_SCHEMA: 'no',
  DW_ERR_CYCLE: 'no',
  DW_ERR_UNAUTHORIZED: 'no',
  DW_ERR_CLASS_MISMATCH: 'no',
  DW_ERR_QUARANTINED: 'no',
  DW_ERR_ACTIVATION: 'no',
  DW_ERR_DATA_FORMAT: 'no',
  DW_ERR_NOT_STORED: 'yes',
});

/**
 * An `Error` with `code` and `delivered`.
 *
 * @param {string} code one of {@link CODES}
 * @param {string} message
 * @param {'no'|'unknown'|'yes'} [delivered] where the place that fails knows better than the table
 * @returns {Error}
 */
function failure(code, message, delivered) {
  const error = new Error(message);
  error.code = code;
  error.delivered = delivered === undefined ? CODES[code] : delivered;
  return error;
}

module.exports.CODES = CODES;
module.exports.failure = failure;
