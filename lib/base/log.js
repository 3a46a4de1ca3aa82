/**
 * The lines of a log, at most one a second of each kind.
 */
'use strict';

const { clearTimeout, setTimeout } = require('./timers');

const INTERVAL_MS = 1000;

class Log {
  /** @param {function(string, string, Object=)} emit gets level, message and fields of each line */
  constructor(emit) {
    this.emit = emit;
    /** By kind: the line that waits for the end of its second, and how many lines it represents. */
    this.kinds = new Map();
  }

  /**
   * The first line of a kind is emitted at once. Of those that follow within a second only the last is, at the end of that
   * second, with their number.
   *
   * @param {string} kind one of a few: nothing that the application makes up
   */
  write(kind, level, message, fields) {
    const held = this.kinds.get(kind);
    if (held !== undefined) {
      Object.assign(held, { level, message, fields, count: held.count + 1 });
      return;
    }
    this.hold(kind);
    this.emit(level, message, fields);
  }

  hold(kind) {
    const timer = setTimeout(() => this.end(kind), INTERVAL_MS);
    timer.unref();
    this.kinds.set(kind, { level: '', message: '', fields: undefined, count: 0, timer });
  }

  end(kind) {
    const held = this.kinds.get(kind);
    this.kinds.delete(kind);
    if (held.count === 0) return;
    this.hold(kind);
    this.release(held);
  }

  release({ level, message, fields, count }) {
    if (count === 1) this.emit(level, message, fields);
    else this.emit(level, `${message} (${count} such lines in the last second)`, { ...fields, lines: count });
  }

  /** Emits what waits, and forgets every kind. */
  close() {
    for (const { timer } of this.kinds.values()) clearTimeout(timer);
    const held = [...this.kinds.values()].filter(({ count }) => count > 0);
    this.kinds.clear();
    held.forEach((each) => this.release(each));
  }
}

module.exports.Log = Log;
