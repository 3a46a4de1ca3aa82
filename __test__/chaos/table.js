'use strict';

/**
 * How results are shown.
 */

function name({ fault, variant }) {
  return `${fault}/${variant}`;
}

/** One run, one line, and a line for each violation. */
function say(row) {
  const head = `${row.verdict.padEnd(4)}  ${name(row).padEnd(22)} seed ${String(row.seed).padEnd(4)} ${String(row.seconds || 0).padStart(4)} s`;
  console.log(`${head}  ${row.text}`);
}

/** A table of all runs, and their sum. */
function summary(rows, milliseconds) {
  const lines = ['fault                  seeds  pass  fail  skip  figures (worst)'];
  const groups = new Map();
  for (const row of rows) groups.set(name(row), [...(groups.get(name(row)) || []), row]);
  for (const [title, group] of groups) {
    const count = (verdict) => String(group.filter((row) => row.verdict === verdict).length).padStart(4);
    lines.push(`${title.padEnd(22)} ${String(group.length).padStart(5)}  ${count('pass')}  ${count('FAIL')}  ${count('SKIP')}  ${worst(group)}`);
  }
  const sum = (key) => rows.reduce((all, { counts }) => all + (counts[key] || 0), 0);
  const broken = (invariant) => rows.reduce((all, row) => all + row.violations.filter((text) => text.startsWith(invariant)).length, 0);
  const skipped = rows.filter(({ verdict }) => verdict === 'SKIP');
  for (const text of new Set(skipped.map((row) => `${row.fault}: ${row.text}`))) lines.push(text);
  lines.push(
    `${rows.length} runs in ${Math.round(milliseconds / 1000)} s: ${sum('calls')} calls, ${sum('activations')} activations, `
      + `${sum('evictions')} evictions, ${broken('I1') + broken('I2')} overlaps, ${broken('I3')} handled twice, ${sum('lost')} lost, ${sum('late')} late settles, `
      + `${sum('overruns')} handlers ran on (longest ${Math.max(0, ...rows.map(({ counts }) => counts.overrunMost || 0))} ms)`
  );
  return lines.join('\n');
}

/** Of each figure the one that is furthest on the wrong side. */
function worst(group) {
  const figures = new Map();
  for (const { figures: list } of group) {
    for (const figure of list) {
      const known = figures.get(figure.name);
      const worse = known === undefined || (known.ok && !figure.ok)
        || (known.ok === figure.ok && (/^≥/.test(figure.target) ? figure.value < known.value : figure.value > known.value));
      if (worse) figures.set(figure.name, figure);
    }
  }
  const shown = [...figures.values()].map(({ name: of, value, unit, target, ok }) => `${ok ? '' : '✗ '}${of} ${value}${unit ? ` ${unit}` : ''}${target ? ` (${target})` : ''}`);
  const violations = group.reduce((sum, row) => sum + row.violations.length, 0);
  if (violations > 0) shown.push(`✗ ${violations} violations`);
  return shown.join(', ');
}

module.exports = { say, summary };
