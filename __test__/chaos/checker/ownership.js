'use strict';

/**
 * I1 and I2: one owner at a time.
 */

const { afterStalls, compareEpochs } = require('./model');

/**
 * What left before an activation may still be on its way: the time of a message on one machine. A caller that stands
 * still meanwhile reads it afterwards.
 */
const ON_ITS_WAY_MS = 50;

/**
 * After an activation no handler of a lower epoch starts, and none of its success replies is accepted.
 *
 * @returns {object[]} handlers that ran when their instance was replaced, with how long they went on
 */
function oneOwner(model, violation) {
  const replaced = new Map([...model.activations].map(([id, list]) => [id, replacements(list)]));
  const when = (id, epoch) => (replaced.get(id) || (() => Infinity))(epoch);

  for (const { id, epoch, t, p } of model.begins) {
    const after = t - when(id, epoch);
    if (after > 0) violation(`${p}: a handler of ${id} started under epoch ${epoch}, ${after.toFixed(1)} ms after a higher one was active`);
  }
  const accepted = (settled, ends) => {
    const time = when(settled.id, settled.epoch);
    if (settled.t <= time) return;
    const end = ends.find((one) => one.epoch === settled.epoch);
    const leftBefore = end !== undefined && end.t < time;
    const due = time + ON_ITS_WAY_MS;
    const resumed = afterStalls(model, settled.p, due);
    if (leftBefore && settled.t <= (resumed > due ? resumed + ON_ITS_WAY_MS : due)) return;
    const after = (settled.t - time).toFixed(1);
    violation(`${settled.p}: accepted a reply of ${settled.id} under epoch ${settled.epoch}, ${after} ms after a higher one was active`);
  };
  const overruns = [];
  for (const { begins, ends, settled } of model.calls.values()) {
    for (const begin of begins) {
      const end = ends.find((one) => one.p === begin.p && one.epoch === begin.epoch);
      const time = when(begin.id, begin.epoch);
      if (end !== undefined && begin.t <= time && end.t > time) overruns.push({ id: begin.id, p: begin.p, ms: end.t - time });
    }
    if (settled !== undefined && settled.ok && settled.epoch !== undefined) accepted(settled, ends);
  }
  return overruns;
}

/** epoch → when an activation of a higher epoch was first seen. */
function replacements(activations) {
  const sorted = [...activations].sort((a, b) => compareEpochs(a.epoch, b.epoch));
  const firstFrom = new Array(sorted.length + 1).fill(Infinity);
  for (let i = sorted.length - 1; i >= 0; i -= 1) firstFrom[i] = Math.min(firstFrom[i + 1], sorted[i].t);
  return (epoch) => {
    const next = sorted.findIndex((one) => compareEpochs(one.epoch, epoch) > 0);
    return next === -1 ? Infinity : firstFrom[next];
  };
}

/** Each activation of an id has a higher epoch than all before it. */
function epochsGrow(model, violation) {
  for (const [id, activations] of model.activations) {
    let highest;
    for (const { epoch, p } of activations) {
      if (highest !== undefined && compareEpochs(epoch, highest) <= 0) {
        violation(`${p}: ${id} became active under epoch ${epoch} after ${highest}`);
      }
      if (highest === undefined || compareEpochs(epoch, highest) > 0) highest = epoch;
    }
  }
}

module.exports = { oneOwner, epochsGrow };
