/**
 * Workers that leave memory while nobody needs them: `static idle` and `worker.keepAwake()`.
 *
 * Messages only count how many handlers of their worker started and ended. Each worker is looked at a few times within its idle time; one
 * that was quiet at so many looks in a row ends with the cause IDLE, and its next message wakes it.
 */
'use strict';

const { durationOf } = require('../../options/duration');
const { clearTimeout, monotonicClock, setTimeout } = require('../../base/timers');
const { Worker } = require('../../worker');

const { State, DestroyCause } = Worker;

/** How often a worker is looked at within its idle time. */
const LOOKS = 8;
/** Workers that are looked at in one turn of the event loop. */
const LOOKS_A_TURN = 1000;
/** The longest delay of a timer of Node.js, ms. */
const LONGEST_DELAY = 0x7fffffff;

/** After how many ms an idle worker of the class leaves memory; 0: never. A value that is no duration belongs to the application. */
function idleOf(WorkerClass) {
  return durationOf(WorkerClass.idle) ?? 0;
}

/** The workers of one idle time, in the order of their next look. */
class Round {
  constructor(idle, duration) {
    this.idle = idle;
    this.period = Math.ceil(duration / LOOKS);
    this.looks = Math.ceil(duration / this.period);
    this.queue = [];
    this.first = 0;
    this.timer = null;
    this.look = this.look.bind(this);
  }

  add(record) {
    this.queue.push({ record, due: monotonicClock() + this.period });
    if (this.timer === null) this.plan(this.period);
  }

  plan(delay) {
    this.timer = setTimeout(this.look, Math.min(Math.max(delay, 1), LONGEST_DELAY));
    this.timer.unref();
  }

  look() {
    this.timer = null;
    const now = monotonicClock();
    for (let left = LOOKS_A_TURN; left > 0 && this.first < this.queue.length && this.queue[this.first].due <= now; left -= 1) {
      const entry = this.queue[this.first];
      this.queue[this.first] = undefined;
      this.first += 1;
      if (!this.idle.examine(entry.record, this.looks)) continue;
      entry.due = now + this.period;
      this.queue.push(entry);
    }
    if (this.first > LOOKS_A_TURN || this.first === this.queue.length) {
      this.queue.splice(0, this.first);
      this.first = 0;
    }
    if (this.queue.length > 0) this.plan(this.queue[this.first].due - now);
  }

  stop() {
    clearTimeout(this.timer);
    this.timer = null;
    this.queue = [];
    this.first = 0;
  }
}

class Idle {
  /** @param {Workers} workers */
  constructor(workers) {
    this.workers = workers;
    /** By idle time. */
    this.rounds = new Map();
  }

  /** The worker is active from now on. */
  watch(record) {
    if (record.idle === 0) return;
    let round = this.rounds.get(record.idle);
    if (round === undefined) {
      round = new Round(this, record.idle);
      this.rounds.set(record.idle, round);
    }
    record.quiet = 0;
    record.seen = record.started;
    round.add(record);
  }

  /** Whether the worker is to be looked at again. One that was quiet at `looks` looks in a row ends. */
  examine(record, looks) {
    if (record.state !== State.ACTIVE) return false;
    if (isBusy(record) || record.started !== record.seen) {
      record.seen = record.started;
      record.quiet = 0;
      return true;
    }
    record.quiet += 1;
    // While it could not be woken it stays.
    if (record.quiet < looks || !this.workers.core.channel.native.maySleep()) return true;
    this.workers.deactivation.end(record, DestroyCause.IDLE, true);
    return false;
  }

  stop() {
    for (const round of this.rounds.values()) round.stop();
    this.rounds.clear();
  }
}

function isBusy(record) {
  if (record.started !== record.ended || record.awake > 0) return true;
  return record.cell !== null && record.cell.timers !== null && record.cell.timers.isDueWithin(record.idle);
}

module.exports.Idle = Idle;
module.exports.idleOf = idleOf;
