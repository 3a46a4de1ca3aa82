/**
 * Mistakes of an application that would otherwise pass unnoticed: one process warning for each kind.
 */
'use strict';

/** A program that makes more kinds of mistakes has been told enough. */
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
