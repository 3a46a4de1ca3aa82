/** How figures look in a terminal: columns, digits, units. */
'use strict';

/** A number with its thousands apart and `digits` places (by default one below 100, if any); a dash where there is none. */
function format(value, digits = Number.isInteger(value) || value >= 100 ? 0 : 1) {
  if (!Number.isFinite(value)) return '–';
  return value.toFixed(digits).replace(/\B(?=(\d{3})+(?!\d))(?<!\.\d*)/g, ' ');
}

/** Lines of a table: the first `texts` columns to the left, the others to the right. An empty row parts groups. */
function table(head, rows, texts) {
  const widths = head.map((title, column) => Math.max(...[head, ...rows].map((row) => (row[column] ?? '').length)));
  const line = (row) =>
    row.map((cell, column) => (column < texts ? cell.padEnd(widths[column]) : cell.padStart(widths[column]))).join('  ');
  return [line(head), widths.map((width) => '─'.repeat(width)).join('──'), ...rows.map((row) => line(row).trimEnd())];
}

module.exports = { format, table };
