'use strict';

/** Entries of workers in Redis, as `src/coordination/lua/entry.lua` describes them. */

const STATES = { p: 'placing', a: 'active', w: 'pending', s: 'asleep', q: 'quarantined' };
const HEAD = 102;

const digits = (number, width) => String(number).padStart(width, '0');

/** The text of an entry; what is left out is that of a recoverable one that waits. */
function writeEntry({ state = 'pending', owner = '', epoch = 1, created = 0, load = 0, cause = 0, recoverable = 1, className = 'Room', cluster = 'main', attributes = '{}' }) {
  const letter = Object.keys(STATES).find((key) => STATES[key] === state);
  const head = `${letter}${cause}${recoverable}${digits(epoch, 16)}${digits(load, 10)}${digits(created, 13)}${digits(0, 13)}${digits(0, 14)} ${owner.padEnd(HEAD - 70)}`;
  return Buffer.concat([Buffer.from(`${head}${className}:${cluster}:`), Buffer.from(attributes)]);
}

function readEntry(text) {
  const [className, cluster] = text.slice(HEAD).split(':');
  return {
    state: STATES[text[0]],
    recoverable: text[2],
    epoch: String(BigInt(text.slice(3, 19))),
    load: String(Number(text.slice(19, 29))),
    owner: text.slice(70, HEAD).trimEnd(),
    className,
    cluster,
  };
}

module.exports = { readEntry, writeEntry };
