'use strict';

/**
 * A run's lines by what they are about.
 */

/** Epochs are digits of any length. */
function compareEpochs(a, b) {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}

function index(lines) {
  const model = {
    /** worker id → activations in the order of time: {t, epoch, p, recoverable, cause, ended} */
    activations: new Map(),
    /** call → {made, begins: [], ends: [], settled} */
    calls: new Map(),
    begins: [],
    /** process → {pid, broker, stalls, heldUp, ended: {t, expected, code, signal}} */
    processes: new Map(),
    created: new Map(),
    ended: new Set(),
    probes: new Map(),
    samples: [],
    heals: [],
    finished: undefined,
    counts: { calls: 0, settled: 0, ok: 0, handlers: 0, activations: 0, recoveries: 0, fenced: 0, suspensions: 0 },
  };
  for (const line of [...lines].sort((a, b) => a.t - b.t)) {
    if (READERS[line.k]) READERS[line.k](model, line);
  }
  return model;
}

/** When something can happen in a process that was to happen at `time`: while it stands still nothing does. */
function afterStalls(model, p, time) {
  return after(model.processes.get(p)?.stalls || [], time);
}

/**
 * As `afterStalls`; it happens later also while the process has other work without a pause, or one of its threads waits for a
 * processor.
 */
function afterWork(model, p, time) {
  return after(model.processes.get(p)?.heldUp || [], time);
}

/** `spans`: in the order of their ends. */
function after(spans, time) {
  let result = time;
  for (const { from, to } of spans) if (from <= result && result < to) result = to;
  return result;
}

function entry(map, key, make) {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = make()));
  return value;
}

const call = (model, key) => entry(model.calls, key, () => ({ made: undefined, begins: [], ends: [], settled: undefined }));
const process = (model, key) => entry(model.processes, key, () => ({ stalls: [], heldUp: [], kills: [], ended: undefined }));

function instance(model, { id, epoch, p }) {
  return (model.activations.get(id) || []).find((one) => one.epoch === epoch && one.p === p);
}

const READERS = {
  process: (model, { p, pid, broker }) => Object.assign(process(model, p), { pid, broker }),
  activate(model, { t, id, epoch, p, recoverable, cause }) {
    entry(model.activations, id, () => []).push({ t, id, epoch, p, recoverable, cause, ended: undefined });
    model.counts.activations += 1;
    if (cause === 1) model.counts.recoveries += 1;
  },
  deactivate(model, line) {
    const found = instance(model, line);
    if (found !== undefined && found.ended === undefined) found.ended = { t: line.t, cause: line.cause };
    if (line.cause === 2) model.counts.fenced += 1;
  },
  /** A worker that was told to end itself: nobody expects it back. */
  ending: (model, { id }) => model.ended.add(id),
  created: (model, { id, recoverable }) => model.created.set(id, recoverable === true),
  call(model, line) {
    call(model, line.call).made = line;
    model.counts.calls += 1;
  },
  begin(model, line) {
    model.counts.handlers += 1;
    model.begins.push(line);
    if (line.call !== undefined) call(model, line.call).begins.push(line);
  },
  end(model, line) {
    if (line.call !== undefined) call(model, line.call).ends.push(line);
  },
  settle(model, line) {
    const one = call(model, line.call);
    one.settled = one.settled || line;
    model.counts.settled += 1;
    if (line.ok) model.counts.ok += 1;
  },
  stall(model, { p, from, to }) {
    process(model, p).stalls.push({ from, to });
    process(model, p).heldUp.push({ from, to });
  },
  'held up': (model, { p, from, to }) => process(model, p).heldUp.push({ from, to }),
  suspended: (model) => (model.counts.suspensions += 1),
  probe: (model, line) => model.probes.set(line.id, line),
  kill: (model, { of }) => (process(model, of).killed = true),
  exit(model, { t, of, code, signal }) {
    process(model, of).ended = { t, code, signal };
  },
  heal: (model, { t }) => model.heals.push(t),
  sample: (model, line) => model.samples.push(line),
  finish: (model, { t }) => (model.finished = t),
};

/** The activation with the highest epoch. */
function newest(activations) {
  return activations.reduce((best, one) => (compareEpochs(one.epoch, best.epoch) > 0 ? one : best));
}

/** Whether that instance was still there at the end. */
function lives(model, activation) {
  const { ended } = model.processes.get(activation.p) || {};
  return activation.ended === undefined && ended === undefined;
}

module.exports = { afterStalls, afterWork, index, compareEpochs, newest, lives };
