'use strict';

/**
 * What the scripts say to the person at the terminal.
 * Plain lines where the output is no terminal; `NO_COLOR` is respected.
 */

const started = Date.now();

function colored(stream) {
  return Boolean(stream.isTTY) && !process.env.NO_COLOR;
}

function bold(text) {
  return colored(process.stdout) ? `\u001b[1m${text}\u001b[0m` : text;
}

/** Names the step that begins now, with the time since the script started. */
function step(text) {
  console.log(`\n${bold(`==> ${text}`)}  [${clock(Date.now() - started)}]`);
}

/** A remark about the step that runs. */
function say(text) {
  console.log(`    ${text}`);
}

/** Minutes and seconds, `1:05`. */
function clock(milliseconds) {
  const seconds = Math.round(milliseconds / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

/** Rows of strings in columns; a column whose cells are all numeric is set flush right. */
function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const numeric = widths.map((_, column) => rows.slice(1).every((row) => /^[\d.:,]*( s| ms)?$/.test(row[column])));
  const line = (row) => row
    .map((cell, column) => (numeric[column] ? cell.padStart(widths[column]) : cell.padEnd(widths[column])))
    .join('  ').trimEnd();
  return [line(rows[0]), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.slice(1).map(line)].join('\n');
}

/**
 * A condition that a person has to mend. Its message is the whole output: a stack would hide it.
 */
class Unmet extends Error {}

/** Runs a script's main function; the exit code is its value, or 1 when it fails. */
function main(work) {
  Promise.resolve().then(work).then(
    (code) => { process.exitCode = code || 0; },
    (error) => {
      console.error(`\n${error instanceof Unmet ? error.message : error.stack}`);
      process.exitCode = 1;
    },
  );
}

module.exports = { Unmet, clock, main, say, step, table };
