/** Closed-loop load: a fixed number of calls in flight, each answer starts the next call. */
'use strict';

const { percentile } = require('./stats');

const SAMPLES = 1 << 20; // latencies kept of one window; beyond it the oldest are overwritten
const samples = new Float64Array(SAMPLES);

/**
 * Keeps `inFlight` calls of `issue(done)` going for `leadMs + windowMs` and waits for the last answer.
 * Answers during the lead warm the code up and are not counted. `done(error)` ends a call.
 * → `{perSecond, p50, p99 (µs), counted, total (lead and tail included), errors, firstError, cpu (µs, whole load)}`
 */
function load(issue, { inFlight, leadMs, windowMs }) {
  return new Promise((resolve) => {
    const cpuBefore = process.cpuUsage();
    const from = performance.now() + leadMs;
    const until = from + windowMs;
    let counted = 0;
    let total = 0;
    let errors = 0;
    let firstError;
    let open = inFlight;

    function next() {
      const start = performance.now();
      issue(function done(error) {
        const end = performance.now();
        total++;
        if (error) {
          errors++;
          firstError ??= String(error);
        } else if (end >= from && end < until) {
          samples[counted++ % SAMPLES] = end - start;
        }
        if (end >= until) {
          if (--open === 0) finish();
        } else if (error) {
          setImmediate(next); // a call that fails at once must not starve the event loop
        } else {
          next();
        }
      });
    }

    function finish() {
      const used = process.cpuUsage(cpuBefore);
      const sorted = samples.slice(0, Math.min(counted, SAMPLES)).sort();
      resolve({
        perSecond: counted / (windowMs / 1000),
        p50: percentile(sorted, 0.5) * 1000,
        p99: percentile(sorted, 0.99) * 1000,
        counted,
        total,
        errors,
        firstError,
        cpu: used.user + used.system,
      });
    }

    for (let i = 0; i < inFlight; i++) next();
  });
}

module.exports = { load };
