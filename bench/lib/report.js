/** What a run leaves behind: the figures of every round, a table for people, a file for programs. */
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { summarize, pairedRatio } = require('./stats');
const { FLOORS } = require('./systems');
const { format, table } = require('./table');

/** Collects figures: `add({measure, cell, system, round}, figures)`. `systems` gives the order of lines in a cell. */
class Report {
  constructor(systems) {
    this.systems = systems;
    this.rows = [];
  }

  add({ measure, cell, system, round }, figures) {
    let row = this.rows.find((r) => r.measure === measure && r.cell === cell && r.system === system);
    if (!row) this.rows.push((row = { measure, cell, system, rounds: [] }));
    row.rounds[round] = figures;
  }

  /** The table of one measurement, as lines. */
  lines(measure) {
    const cells = [...new Set(this.rows.map((row) => row.cell))];
    const place = (row) => cells.indexOf(row.cell) * this.systems.length + this.systems.indexOf(row.system);
    const rows = this.rows.filter((row) => row.measure === measure.name).sort((a, b) => place(a) - place(b));
    const head = ['', '', ...measure.columns.map((column) => column.head)];
    let before;
    const body = rows.map((row) => {
      const summary = summarize(row.rounds);
      const cells = measure.columns.map((column) => figure(column, row, rows, summary));
      const label = row.cell === before ? '' : row.cell;
      before = row.cell;
      return [label, row.system, ...cells];
    });
    return ['', measure.title, ...table(head, body, 2), ...complaints(rows)];
  }

  /** Writes everything as JSON; returns the file's name. */
  write(file, about) {
    const rows = this.rows.map((row) => ({ ...row, summary: summarize(row.rounds) }));
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, JSON.stringify({ ...about, rows }, null, 1) + '\n');
    return file;
  }
}

/** One cell: a median, a median with its span over the rounds, or a ratio to another system in the same cell. */
function figure({ key, digits, span, against }, row, rows, summary) {
  if (against) {
    const other = rows.find((r) => r.cell === row.cell && r.system === against);
    if (!other || other === row || FLOORS.includes(row.system)) return '';
    return format(pairedRatio(row.rounds, other.rounds, key), 2);
  }
  const found = summary[key];
  if (!found) return '–';
  if (!span) return format(found.median, digits);
  return `${format(found.min, digits)} … ${format(found.max, digits)}`;
}

/** Lines about calls that failed or messages that were lost: a rate with errors in it is not a rate. */
function complaints(rows) {
  return rows.flatMap((row) => {
    const sum = (key) => row.rounds.reduce((total, figures) => total + (figures?.[key] ?? 0), 0);
    const first = row.rounds.find((figures) => figures?.firstError)?.firstError;
    const lines = [];
    if (sum('errors')) lines.push(`  ! ${row.cell} ${row.system}: ${sum('errors')} calls failed, first: ${first}`);
    if (sum('lost')) lines.push(`  ! ${row.cell} ${row.system}: ${sum('lost')} messages did not arrive`);
    return lines;
  });
}

module.exports = { Report };
