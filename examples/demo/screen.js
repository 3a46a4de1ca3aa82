'use strict';

/** How the demo looks in a terminal; plain text where the output is none. */

const utf8 = /utf-?8/i.test(process.env.LC_ALL || process.env.LC_CTYPE || process.env.LANG || '');
const paint = (code, text) => (process.stdout.isTTY && !process.env.NO_COLOR ? `\u001b[${code}m${text}\u001b[0m` : text);

let chapters = 0;

const title = (text) => console.log(`\n${paint('1', text)}`);

function chapter(text) {
  chapters += 1;
  console.log(`\n${paint('1;36', `${chapters}. ${text}`)}`);
}

const line = (text) => console.log(`   ${text}`);

const seconds = (milliseconds) => `${(milliseconds / 1000).toFixed(2)} s`;

/** What happened at a moment, counted from the event that matters. */
const moment = (milliseconds, text) => line(`${paint('33', `+${seconds(milliseconds)}`)}  ${text}`);

/** How many workers each broker has. */
function balance(hosted) {
  const width = Math.max(...hosted.map(({ id }) => id.length));
  for (const { id, rooms } of hosted) {
    const bar = paint('32', (utf8 ? '█' : '#').repeat(rooms.length));
    const some = rooms.slice(0, 4).join(' ') + (rooms.length > 4 ? ' …' : '');
    line(`${id.padEnd(width)}  ${bar} ${rooms.length} workers  ${paint('2', some)}`);
  }
}

/** Rows of what, result, time. */
function summary(rows) {
  const all = [['what', 'result', 'time'], ...rows];
  const widths = [0, 1, 2].map((column) => Math.max(...all.map((row) => row[column].length)));
  const text = (row) => `${row[0].padEnd(widths[0])}  ${row[1].padEnd(widths[1])}  ${row[2].padStart(widths[2])}`.trimEnd();
  line(paint('1', text(all[0])));
  line(widths.map((width) => '-'.repeat(width)).join('  '));
  for (const row of rows) line(text(row));
}

module.exports = { balance, chapter, line, moment, seconds, summary, title };
