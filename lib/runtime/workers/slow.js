/**
 * What takes long: activations, destructions, and handlers that a serial worker cannot go past. Each is reported once, as
 * one line for all of a class.
 */
'use strict';

const { clearInterval, monotonicClock, setInterval } = require('../../base/timers');

/** From here on something takes long, ms. */
const SLOW_MS = 5000;
/** Between two looks, ms. */
const LOOK_MS = 1000;

class Slow {
  /** @param {Reports} reports */
  constructor(reports) {
    this.reports = reports;
    /** By what runs: `{record, method, began, told}`, the oldest first. */
    this.running = new Map();
    this.timer = null;
  }

  /** `what` (any object) begins: `method` of this worker. */
  begin(what, record, method) {
    this.running.delete(what);
    this.running.set(what, { record, method, began: monotonicClock(), told: false });
    if (this.timer === null) {
      this.timer = setInterval(() => this.look(), LOOK_MS);
      this.timer.unref();
    }
  }

  end(what) {
    this.running.delete(what);
  }

  look() {
    const now = monotonicClock();
    const groups = new Map();
    for (const entry of this.running.values()) {
      if (now - entry.began < SLOW_MS) break;
      if (!entry.told) this.collect(groups, entry);
    }
    for (const { name, longest, count } of groups.values()) this.tell(name, longest, count, now);
    if (this.running.size === 0) this.stop();
  }

  collect(groups, entry) {
    entry.told = true;
    const name = entry.record.worker.constructor.name;
    const key = `${name} ${entry.method}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { name, longest: entry, count: 1 });
    else group.count += 1;
  }

  tell(name, { record, method, began }, count, now) {
    const age = `${((now - began) / 1000).toFixed(1)} s`;
    const others = count > 1 ? ` and ${count - 1} more of its class` : '';
    const step = method === 'onCreate' || method === 'onDestroy';
    const means = step ? '' : '. It takes no other message meanwhile; worker.destroy() ends it';
    const text = `Worker ${record.id} of class ${name}${others} has been in ${step ? method : `'${method}'`} for ${age}${means}`;
    this.reports.slow(record, method, text);
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    this.running.clear();
  }
}

module.exports.Slow = Slow;
