'use strict';

/**
 * I5 and I6: what comes back, and what does not.
 */

const { lives, newest } = require('./model');

/** Refusals that say nothing about the worker. */
const OF_THE_CALLER = new Set(['DW_ERR_SUSPENDED', 'DW_ERR_OVERLOADED', 'DW_ERR_REDIS', 'DW_ERR_STATE']);

/**
 * Every recoverable worker is active at the end, and was so within R of the last healing.
 *
 * @returns {number} how many are lost
 */
function recovered(model, within, violation) {
  const healed = model.heals.at(-1);
  let lost = 0;
  for (const [id, recoverable] of expected(model)) {
    if (!recoverable || model.ended.has(id)) continue;
    const activations = model.activations.get(id);
    const last = activations && newest(activations);
    if (last === undefined || !lives(model, last)) {
      lost += 1;
      violation(`${id} is not active at the end${last ? ` (last on ${last.p}, epoch ${last.epoch}${reason(model, last)})` : ''}`);
      continue;
    }
    const took = last.t - healed;
    if (healed !== undefined && took > within) violation(`${id} came back ${took.toFixed(0)} ms after the healing, not within ${within}`);
    const probe = model.probes.get(id);
    if (probe !== undefined && !probe.ok) violation(`${id} is active on ${last.p}, but a call ends with ${probe.code}`);
  }
  return lost;
}

function reason(model, { p, ended }) {
  if (ended !== undefined) return `, deactivated with cause ${ended.cause}`;
  return model.processes.get(p).killed ? ', which was killed' : ', whose process ended';
}

/** id → recoverable, of all that an application was told to be created. */
function expected(model) {
  const all = new Map(model.created);
  for (const [id, activations] of model.activations) if (!all.has(id)) all.set(id, newest(activations).recoverable);
  return all;
}

/** A worker that is not recoverable is gone with its instance, and calls say so. */
function othersGone(model, within, violation) {
  const healed = model.heals.at(-1) ?? -Infinity;
  const gone = new Set();
  for (const [id, activations] of model.activations) {
    const last = newest(activations);
    if (!last.recoverable && !lives(model, last)) gone.add(id);
  }
  for (const [call, { made, settled }] of model.calls) {
    if (made === undefined || settled === undefined || !gone.has(made.id) || made.t < healed + within) continue;
    if (settled.ok && made.kind === 'ask') violation(`call ${call} to ${made.id}, which is gone, was answered`);
    else if (!settled.ok && settled.code !== 'DW_ERR_WORKER_NOT_FOUND' && !OF_THE_CALLER.has(settled.code)) {
      violation(`call ${call} to ${made.id}, which is gone, ended with ${settled.code}`);
    }
  }
  for (const [id, probe] of model.probes) {
    if (gone.has(id) && probe.found === true) violation(`${id} is gone, but is still found`);
  }
}

module.exports = { recovered, othersGone };
