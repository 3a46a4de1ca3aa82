'use strict';

/**
 * The faults, in the order of their numbers.
 *
 * Each: `{number, title, target, short, needs, variants}`. A variant causes its fault in a fresh world and notes its
 * figures; what it returns are options of the checker (`within`: R of I5). `short` names the variants of the short selection,
 * `needs(variant)` says what is missing here.
 */

const fs = require('node:fs');
const path = require('node:path');

const faults = fs.readdirSync(__dirname)
  .filter((name) => /^\d\d-.*\.js$/.test(name))
  .sort()
  .map((name) => require(path.join(__dirname, name)));

module.exports = { faults };
