'use strict';

/** Counts tests in what the runners of cargo and of node print. */

// eslint-disable-next-line no-control-regex -- colour codes are control characters
const COLOR = /\u001b\[[0-9;]*m/g;

const none = () => ({ passed: 0, failed: 0, skipped: 0 });

const add = (a, b) => ({ passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped });

/** `test result: ok. 3 passed; 0 failed; 1 ignored; …`, one line for each test binary. */
function cargo(output) {
  const lines = output.replace(COLOR, '').matchAll(/^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored;/gm);
  let sum = none();
  for (const [, passed, failed, ignored] of lines) {
    sum = add(sum, { passed: Number(passed), failed: Number(failed), skipped: Number(ignored) });
  }
  return sum;
}

/** The closing lines of node's TAP reporter: `# pass 3`, `# fail 0`, `# cancelled 0`, `# skipped 1`, `# todo 0`. */
function node(tap) {
  const last = (name) => Number([...tap.matchAll(new RegExp(`^# ${name} (\\d+)$`, 'gm'))].at(-1)?.[1] || 0);
  return { passed: last('pass'), failed: last('fail') + last('cancelled'), skipped: last('skipped') + last('todo') };
}

/** Rows of the chaos harness: one test each. */
function chaos(rows) {
  const count = (verdict) => rows.filter((row) => row.verdict === verdict).length;
  return { passed: count('pass'), failed: count('FAIL'), skipped: count('SKIP') };
}

/** A check without counts of its own: it is one test. */
const check = (ok) => (ok ? { passed: 1, failed: 0, skipped: 0 } : { passed: 0, failed: 1, skipped: 0 });

/** The line that closes a run. */
const closing = ({ passed, failed, skipped }) => `${passed} passed, ${failed} failed, ${skipped} skipped`;

module.exports = { add, cargo, chaos, check, closing, node, none };
