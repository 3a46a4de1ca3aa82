'use strict';

/**
 * I3 and I4: what a caller may rely on.
 */

const { afterWork } = require('./model');

const LATE_MS = 50;

/** A call is handled at most once. */
function handledOnce(model, violation) {
  for (const [call, { begins }] of model.calls) {
    if (begins.length > 1) {
      const where = begins.map(({ p, epoch }) => `${p} (epoch ${epoch})`).join(' and ');
      violation(`call ${call} to ${begins[0].id} was handled ${begins.length} times: ${where}`);
    }
  }
}

/**
 * A call settles by its deadline. While the caller's process stands still, or has other work without a pause, nothing can
 * settle there in time: a deadline in such a time moves to its end.
 *
 * @returns {number} how many were late, or never settled
 */
function settledInTime(model, violation) {
  let late = 0;
  const report = (text) => {
    late += 1;
    violation(text);
  };
  for (const [call, { made, settled }] of model.calls) {
    if (made === undefined) continue;
    const { ended } = model.processes.get(made.p) || {};
    const deadline = afterWork(model, made.p, made.t + made.within) + LATE_MS;
    const seen = settled === undefined ? Math.min(model.finished ?? Infinity, ended ? ended.t : Infinity) : settled.t;
    if (seen === Infinity || seen <= afterWork(model, made.p, deadline)) continue;
    const outcome = settled === undefined ? 'never settled' : `settled ${(settled.t - made.t - made.within).toFixed(0)} ms late (${settled.code || 'ok'})`;
    if (settled === undefined && ended !== undefined) continue;
    report(`${made.p}: ${made.kind} ${call} to ${made.id} ${outcome}`);
  }
  return late;
}

module.exports = { handledOnce, settledInTime };
