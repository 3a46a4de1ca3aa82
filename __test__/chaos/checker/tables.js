'use strict';

/**
 * I7: the tables agree, with each other and with what lives.
 */

const { lives, newest } = require('./model');

/**
 * @param {object} tables `{leases, brokers, load, own, workers, pending}`: incarnation → expiry; list of incarnations;
 *   cluster → incarnation → number; incarnation → ids; id → {state, owner, epoch, cluster, load}; list of ids
 */
function tablesAgree(model, tables, violation) {
  const { leases, brokers, own, workers } = tables;
  for (const incarnation of Object.keys(leases)) if (!brokers.includes(incarnation)) violation(`${incarnation} has a lease and no record`);
  for (const incarnation of brokers) if (!(incarnation in leases)) violation(`${incarnation} has a record and no lease`);

  const pending = new Set(tables.pending);
  for (const [id, { state, owner }] of Object.entries(workers)) {
    if (pending.has(id) !== (state === 'pending')) violation(`${id} is ${state} and ${pending.has(id) ? '' : 'not '}in pending`);
    if (state === 'pending') continue;
    if (!(owner in leases)) violation(`${id} belongs to ${owner || 'nobody'}, who does not exist`);
    if (!(own[owner] || []).includes(id)) violation(`${id} is not among what its owner has`);
  }
  for (const id of pending) if (!(id in workers)) violation(`${id} is pending without an entry`);
  for (const [incarnation, ids] of Object.entries(own)) {
    for (const id of ids) if ((workers[id] || {}).owner !== incarnation) violation(`${id} stands under ${incarnation} and is not its own`);
  }
  loadsAgree(tables, violation);
  livingAgree(model, workers, violation);
}

function loadsAgree({ leases, load, workers }, violation) {
  const sums = {};
  for (const { owner, load: one } of Object.values(workers)) sums[owner] = (sums[owner] || 0) + Number(one || 0);
  for (const incarnation of Object.keys(leases)) {
    const noted = Object.values(load).reduce((sum, of) => sum + Number(of[incarnation] || 0), 0);
    const sum = sums[incarnation] || 0;
    if (noted !== sum) violation(`the load of ${incarnation} is noted as ${noted}, its workers' sum is ${sum}`);
  }
}

function livingAgree(model, workers, violation) {
  for (const [id, activations] of model.activations) {
    const last = newest(activations);
    const entry = workers[id];
    if (!lives(model, last)) continue;
    if (entry === undefined) violation(`${id} lives on ${last.p} and has no entry`);
    else if (entry.state !== 'active') violation(`${id} lives on ${last.p} and its entry is ${entry.state}`);
    else if (entry.epoch !== last.epoch) violation(`${id} lives under epoch ${last.epoch}, its entry says ${entry.epoch}`);
  }
  for (const [id, { state, epoch }] of Object.entries(workers)) {
    if (state !== 'active') continue;
    const known = (model.activations.get(id) || []).find((one) => one.epoch === epoch);
    if (known === undefined || !lives(model, known)) violation(`${id} stands as active under epoch ${epoch}, and nobody has it`);
  }
}

module.exports = { tablesAgree };
