/** What measurements by echo share: their cells, their window and their columns. */
'use strict';

/** Every size with every number in flight. */
function echoCells(sizes, inFlight) {
  return sizes.flatMap((size) => inFlight.map((n) => ({ size, inFlight: n, label: `${sizeLabel(size)}, ${n} in flight` })));
}

function sizeLabel(size) {
  return size < 1024 ? `${size} B` : `${size / 1024} KiB`;
}

/** One window of calls `op` ('asks' or 'local') of a cell on the pair's client process. */
function echoWindow(pair, op, { size, inFlight }, { windowMs, leadMs, seed }) {
  return pair.client.call(op, { size, inFlight, windowMs, leadMs, seed });
}

const echoColumns = [
  { head: 'per second', key: 'perSecond' },
  { head: 'from … to', key: 'perSecond', span: true },
  { head: 'p50 µs', key: 'p50' },
  { head: 'p99 µs', key: 'p99' },
  { head: 'cpu µs each', key: 'cpuPerOp', digits: 1 },
];

module.exports = { echoCells, echoWindow, echoColumns, sizeLabel };
