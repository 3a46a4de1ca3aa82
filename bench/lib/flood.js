/** Open-loop load: calls start at a fixed rate, whatever becomes of them. */
'use strict';

const { percentile } = require('./stats');

const TICK_MS = 5;
const SAMPLES = 1 << 20; // latencies kept; beyond it the oldest are overwritten

/**
 * Starts `perSecond` calls of `issue(done)` a second for `windowMs` and waits for the last answer.
 * → `{perSecond (answered), sent (a second), p50, p99 (µs, of what was answered), outcomes ({code: a second}), open (calls at most), rss (bytes at most), cpu (µs)}`
 */
function flood(issue, { perSecond, windowMs }) {
  return new Promise((resolve) => {
    const samples = new Float64Array(SAMPLES);
    const cpuBefore = process.cpuUsage();
    const from = performance.now();
    const seconds = windowMs / 1000;
    const failed = {};
    let [sent, answered, open, most, rss] = [0, 0, 0, 0, 0];

    function one() {
      const start = performance.now();
      sent++;
      most = Math.max(most, ++open);
      issue((error) => {
        open--;
        if (error) failed[error.code] = (failed[error.code] ?? 0) + 1;
        else samples[answered++ % SAMPLES] = performance.now() - start;
        if (open === 0 && ended) finish();
      });
    }

    let ended = false;
    const timer = setInterval(() => {
      const passed = Math.min(performance.now() - from, windowMs);
      const due = (passed / 1000) * perSecond;
      while (sent < due) one();
      rss = Math.max(rss, process.memoryUsage.rss());
      if (passed < windowMs) return;
      clearInterval(timer);
      ended = true;
      if (open === 0) finish();
    }, TICK_MS);

    function finish() {
      const used = process.cpuUsage(cpuBefore);
      const sorted = samples.slice(0, Math.min(answered, SAMPLES)).sort();
      const outcomes = Object.fromEntries(Object.entries(failed).map(([code, count]) => [code, count / seconds]));
      resolve({
        perSecond: answered / seconds,
        sent: sent / seconds,
        p50: percentile(sorted, 0.5) * 1000,
        p99: percentile(sorted, 0.99) * 1000,
        outcomes,
        open: most,
        rss,
        cpu: used.user + used.system,
      });
    }
  });
}

module.exports = { flood };
