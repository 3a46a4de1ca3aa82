/**
 * Ends calls that get no answer in time, with one timer for all calls of the same timeout.
 *
 * A timer for each call would cost more than everything else that a call does. Calls of one timeout end in the order in which
 * they began, so each list needs a timer for its first one only.
 */
'use strict';

const { outside } = require('../../base/context');
const { monotonicClock, setTimeout } = require('../../base/timers');

/** Timeouts are rounded up to multiples of this many ms, so that there are fewer lists. */
const STEP = 4;

/** Calls of one timeout. A call carries `deadline` and its neighbours itself. */
class List {
  constructor(lists, timeout) {
    this.lists = lists;
    this.timeout = timeout;
    this.first = null;
    this.last = null;
    this.expire = this.expire.bind(this);
    this.wait(timeout);
  }

  wait(ms) {
    this.timer = outside(setTimeout, this.expire, Math.ceil(ms));
    // A broker that is started keeps the process alive by itself.
    this.timer.unref();
  }

  push(call) {
    call.list = this;
    call.before = this.last;
    if (this.last === null) this.first = call;
    else this.last.after = call;
    this.last = call;
  }

  remove(call) {
    if (call.list !== this) return;
    if (call.before === null) this.first = call.after;
    else call.before.after = call.after;
    if (call.after === null) this.last = call.before;
    else call.after.before = call.before;
    call.before = null;
    call.after = null;
  }

  expire() {
    const now = monotonicClock();
    while (this.first !== null && this.first.deadline <= now) this.first.tooLate();
    if (this.first === null) this.lists.delete(this.timeout);
    else this.wait(this.first.deadline - now);
  }
}

class Deadlines {
  constructor() {
    this.lists = new Map();
  }

  /** `call.tooLate()` must take the call out of its list. */
  add(call, timeout) {
    const rounded = Math.ceil(timeout / STEP) * STEP;
    let list = this.lists.get(rounded);
    if (list === undefined) {
      list = new List(this.lists, rounded);
      this.lists.set(rounded, list);
    }
    call.deadline = monotonicClock() + rounded;
    list.push(call);
  }

  /** All calls that have not ended. */
  all() {
    const calls = [];
    for (const list of this.lists.values()) {
      for (let call = list.first; call !== null; call = call.after) calls.push(call);
    }
    return calls;
  }
}

module.exports.Deadlines = Deadlines;
