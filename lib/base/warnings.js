/**
 * Mistakes of an application that would otherwise pass unnoticed: one process warning for each kind.
 */
'use strict';

/** Warnings of at most this many kinds are given in one process. */
const MOST_KINDS = 256;
const seen = new Set();

/**
 * Warns by `process.emitWarning`, the first time for each kind in this thread.
 *
 * @param {string} kind
 * @param {string} message what happened, and what was probably meant
 * @param {{code: string, detail: (string|undefined)}} more
 */
function warnOnce(kind, message, { code, detail }) {
  if (seen.has(kind) || seen.size >= MOST_KINDS) return;
  seen.add(kind);
  process.emitWarning(message, { type: 'DworkerWarning', code, detail });
}

module.exports.warnOnce = warnOnce;
