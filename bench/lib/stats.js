/** Statistics of samples: what a median, a percentile or a paired ratio is. */
'use strict';

/** The value at `fraction` (0 to 1) of an ascending list; NaN when it is empty. */
function percentile(sorted, fraction) {
  if (sorted.length === 0) return NaN;
  const rank = Math.ceil(fraction * sorted.length) - 1;
  return sorted[Math.min(sorted.length - 1, Math.max(0, rank))];
}

/** The middle value; of an even number of values the mean of the middle two. Missing values are left out. */
function median(values) {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  if (sorted.length === 0) return NaN;
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Median, least and greatest of each key over the rounds: `[{a: 1}, {a: 3}]` → `{a: {median: 2, min: 1, max: 3}}`. */
function summarize(rounds) {
  const summary = {};
  for (const key of new Set(rounds.flatMap((figures) => Object.keys(figures)))) {
    const values = rounds.map((figures) => figures[key]).filter(Number.isFinite);
    if (values.length === 0) continue;
    summary[key] = { median: median(values), min: Math.min(...values), max: Math.max(...values) };
  }
  return summary;
}

/**
 * The median of `ours / theirs`, round by round. Both halves of a pair ran within a second of each
 * other, so a machine that becomes slower during the run spoils the ratio less than the figures.
 */
function pairedRatio(ours, theirs, key) {
  return median(ours.map((figures, round) => figures[key] / (theirs[round] ?? {})[key]));
}

module.exports = { percentile, median, summarize, pairedRatio };
