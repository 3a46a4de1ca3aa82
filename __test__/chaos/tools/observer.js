'use strict';

/**
 * The histories of a run, while they are being written.
 */

const path = require('node:path');
const { Tail } = require('../history');

class Observer {
  constructor(directory) {
    this.directory = directory;
    this.tails = new Map();
    this.lines = [];
    /** worker id → its newest activation */
    this.active = new Map();
  }

  follow(file, process) {
    this.tails.set(process, new Tail(path.join(this.directory, file)));
  }

  /** Reads on. */
  refresh() {
    for (const [p, tail] of this.tails) {
      for (const line of tail.read()) {
        line.p = p;
        this.lines.push(line);
        this.note(line);
      }
    }
    return this;
  }

  note(line) {
    const known = this.active.get(line.id);
    if (line.k === 'activate') {
      if (known === undefined || known.t < line.t) this.active.set(line.id, line);
    } else if (line.k === 'deactivate' && known !== undefined && known.epoch === line.epoch) {
      this.active.delete(line.id);
    }
  }

  /** Ids that are active on that process. */
  of(process) {
    return [...this.refresh().active.values()].filter(({ p }) => p === process).map(({ id }) => id);
  }

  /** Lines of a kind from `time` on. */
  since(time, kind, test = () => true) {
    return this.refresh().lines.filter((line) => line.k === kind && line.t >= time && test(line));
  }
}

module.exports = { Observer };
