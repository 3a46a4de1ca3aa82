'use strict';

/**
 * What must hold of a run, read from histories and tables alone: the checker knows nothing of the implementation.
 *
 * | invariant | file |
 * | --- | --- |
 * | I1 no handler starts, and no success reply is accepted, below the epoch of an activation | `ownership.js` |
 * | I2 epochs only grow | `ownership.js` |
 * | I3 a call is handled at most once | `calls.js` |
 * | I4 a call settles by its deadline + 50 ms | `calls.js` |
 * | I5 recoverable workers are active again in time | `recovery.js` |
 * | I6 the others are gone, and calls say so | `recovery.js` |
 * | I7 the tables agree | `tables.js` |
 * | I8 nobody exits but the killed | `processes.js` |
 * | I9 memory and descriptors return | `processes.js` |
 */

const { index } = require('./model');
const { handledOnce, settledInTime } = require('./calls');
const { epochsGrow, oneOwner } = require('./ownership');
const { exits, resources } = require('./processes');
const { othersGone, recovered } = require('./recovery');
const { tablesAgree } = require('./tables');

/**
 * @param {object} run
 * @param {object[]} run.lines of all processes, each with `p`, the process that wrote it, and of the driver (`p: 'driver'`)
 * @param {object} [run.tables] what the registry held at the end, as `tools/tables.js` reads it
 * @param {object} [run.option] `{within}`: R of I5 in ms
 * @returns {{violations: {invariant: string, text: string}[], counts: object, overruns: object[]}}
 */
function check({ lines, tables, option = {} }) {
  const model = index(lines);
  const violations = [];
  const found = (invariant) => (text) => violations.push({ invariant, text });
  const within = option.within === undefined ? 1000 : option.within;

  const overruns = oneOwner(model, found('I1'));
  epochsGrow(model, found('I2'));
  handledOnce(model, found('I3'));
  const late = settledInTime(model, found('I4'));
  const lost = recovered(model, within, found('I5'));
  othersGone(model, within, found('I6'));
  if (tables) tablesAgree(model, tables, found('I7'));
  exits(model, found('I8'));
  resources(model, found('I9'));

  return { violations, overruns, counts: { ...model.counts, late, lost, overruns: overruns.length } };
}

module.exports = { check };
