/** What measurements by echo share: their cells, their window and their columns. */
'use strict';

const { payloadLabel } = require('./payload');

const SIZES = [16, 1024, 16384];

/** Every payload of the chosen kinds with every number in flight. */
function echoCells(kinds, inFlight, sizes = SIZES) {
  return payloadCells(kinds, sizes).flatMap((cell) => inFlight.map((n) => ({ ...cell, inFlight: n, label: `${cell.label}, ${n} in flight` })));
}

/** Every payload of the chosen kinds: `{kind, size, label}`. */
function payloadCells(kinds, sizes = SIZES) {
  return kinds.flatMap((kind) => (kind === 'entities' ? [0] : sizes).map((size) => ({ kind, size, label: payloadLabel(kind, size) })));
}

/** One window of calls `op` ('asks' or 'local') of a cell on the pair's client process. */
function echoWindow(pair, op, { kind, size, inFlight }, { windowMs, leadMs, seed }) {
  return pair.client.call(op, { kind, size, inFlight, windowMs, leadMs, seed });
}

const echoColumns = [
  { head: 'per second', key: 'perSecond' },
  { head: 'from … to', key: 'perSecond', span: true },
  { head: 'p50 µs', key: 'p50' },
  { head: 'p99 µs', key: 'p99' },
  { head: 'cpu µs each', key: 'cpuPerOp', digits: 1 },
];

module.exports = { echoCells, echoWindow, echoColumns, payloadCells };
