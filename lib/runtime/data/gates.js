/**
 * Whether code that sends a message runs in a worker whose last change is not stored yet.
 */
'use strict';

const { origin } = require('../../base/context');

/**
 * How many workers of this environment may hold messages back. While there are none, nothing is asked for a message: finding out
 * which worker a message comes from takes longer than the rest of a tell.
 */
const gates = { count: 0 };

/** The cell of the worker whose code runs, if messages of that worker have to wait; else `undefined`. */
function closedGate() {
  const turn = origin();
  const record = turn === undefined ? undefined : turn.record;
  if (record === undefined || record === null || record.cell === null) return undefined;
  const { cell } = record;
  cell.compare();
  return cell.isHolding() ? cell : undefined;
}

module.exports.closedGate = closedGate;
module.exports.gates = gates;
