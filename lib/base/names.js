/**
 * Numbers for the texts that nearly every message repeats: the id of its worker and the name of its method. The core reads a number in a
 * twentieth of the instructions that it needs for a string.
 */
'use strict';

const { LIMIT } = require('../protocol');

/** When the table is full, after how many texts without a number it is filled anew: by then other workers may be in use. */
const RENEWAL = 16 * LIMIT.KNOWN_NAMES;

class Names {
  /** @param {function(number, string): void} announce tells the core what a number means from now on */
  constructor(announce) {
    this.announce = announce;
    this.numbers = new Map();
    /** Texts that got no number since the table was full. */
    this.missed = 0;
  }

  /** The number of a text; the text itself where the table has no room for it. */
  shorten(text) {
    const number = this.numbers.get(text);
    return number === undefined ? this.add(text) : number;
  }

  add(text) {
    if (this.numbers.size >= LIMIT.KNOWN_NAMES) {
      this.missed += 1;
      if (this.missed < RENEWAL) return text;
      this.missed = 0;
      this.numbers.clear();
    }
    const number = this.numbers.size;
    this.announce(number, text);
    this.numbers.set(text, number);
    return number;
  }
}

module.exports.Names = Names;
module.exports.RENEWAL = RENEWAL;
