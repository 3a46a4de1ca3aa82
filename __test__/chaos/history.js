'use strict';

/**
 * The lines of a history: how they are written and read.
 *
 * One JSON object a line: `t` (ms of CLOCK_MONOTONIC, the same for all processes of a machine), `k` (what happened) and
 * its fields. A line is in the file before `write` returns, so kill -9 loses nothing that happened.
 */

const fs = require('node:fs');

function now() {
  return Number(process.hrtime.bigint()) / 1e6;
}

class History {
  constructor(file) {
    this.descriptor = fs.openSync(file, 'a');
  }

  write(kind, fields) {
    fs.writeSync(this.descriptor, `${JSON.stringify({ t: now(), k: kind, ...fields })}\n`);
  }
}

/** Reads what was added to a file since the last call. The last line may still be half written. */
class Tail {
  constructor(file) {
    this.file = file;
    this.offset = 0;
    this.rest = '';
  }

  read() {
    const descriptor = fs.openSync(this.file, 'r');
    try {
      const size = fs.fstatSync(descriptor).size - this.offset;
      if (size <= 0) return [];
      const bytes = Buffer.alloc(size);
      this.offset += fs.readSync(descriptor, bytes, 0, size, this.offset);
      const lines = (this.rest + bytes.toString('latin1')).split('\n');
      this.rest = lines.pop();
      return lines.map((line) => JSON.parse(Buffer.from(line, 'latin1').toString()));
    } finally {
      fs.closeSync(descriptor);
    }
  }
}

module.exports = { History, Tail, now };
