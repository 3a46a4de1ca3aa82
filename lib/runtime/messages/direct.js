/**
 * Messages of a broker to its own workers that never leave JavaScript.
 *
 * An ask through the core crosses N-API twice and is written into two batches. This file handles only the simple case: a worker that handles
 * several messages at a time, and to which no message is on its way through the core (see `src/broker/activation/workers.rs`). As soon as
 * anything else is the case (the worker ends, the broker cannot prove its lease, a call has a signal), the messages that have not started go
 * to the core in their order, and so do the messages that follow.
 */
'use strict';

const { handle } = require('../../base/context');
const { DirectAnswers } = require('./direct-answers');
const { DirectCall, Message } = require('./direct-call');
const { Deadlines } = require('./deadlines');
const { failure } = require('../../base/errors');
const { runOnAsk, runOnTell } = require('../workers/handlers');
const { DirectOutcome } = require('./direct-outcome');
const { LIMIT } = require('../../protocol');
const { TellOutcome } = require('../workers/outcome');
const { keep, sizeOf } = require('../../payload/payload');
const { monotonicClock, wallClock } = require('../../base/timers');
const { formOf } = require('../recipes');

/** As much waits here at most as in the inbox of the core. */
const MAX_MESSAGES = LIMIT.INBOX_MESSAGES;
const MAX_UNITS = LIMIT.INBOX_BYTES;
/** UTF-8 bytes that one UTF-16 unit takes at most. */
const MAX_BYTES_PER_UNIT = 3;

/** Where a worker's messages go. */
const CLOSED = 0;
/** They wait until what went through the core before has arrived. */
const OPENING = 1;
const OPEN = 2;

/** Runs the handler of `this` ask. */
function runAsk(outcome) {
  this.record.started = (this.record.started + 1) >>> 0;
  try {
    runOnAsk(outcome, this.data);
  } catch (error) {
    outcome.settle(true, error);
  }
}

/** Runs the handler of `this` tell. */
function runTell(outcome) {
  this.record.started = (this.record.started + 1) >>> 0;
  try {
    runOnTell(outcome, this.data);
  } catch (error) {
    outcome.settle(true, error);
  }
}

class Direct {
  /** @param {Workers} workers */
  constructor(workers) {
    this.workers = workers;
    this.channel = workers.core.channel;
    this.maxUnits = Math.floor(workers.core.config.maxMessageBytes / MAX_BYTES_PER_UNIT);
    this.queue = [];
    this.first = 0;
    this.units = 0;
    this.deadlines = new Deadlines();
    this.answers = new DirectAnswers(this);
    /** The clock when the time was last looked at. */
    this.looked = 0;
    this.time = 0;
  }

  /** Whether such a call can be made without the core. `turn`: the turn of the handler that makes it. */
  suits(turn, data) {
    return (turn === undefined || turn.inbound <= 0) && sizeOf(data) <= this.maxUnits;
  }

  /** Throws if too many messages wait. */
  admit(record, message) {
    const units = sizeOf(message.payload);
    if (this.queue.length - this.first >= MAX_MESSAGES || this.units + units > MAX_UNITS) {
      throw failure('DW_ERR_OVERLOADED', 'Too many messages wait for this process.');
    }
    if (record.direct === OPEN) {
      this.queue.push(message);
      this.units += units;
    } else if (record.waiting.push(message) > MAX_MESSAGES) {
      record.waiting.pop();
      throw failure('DW_ERR_OVERLOADED', 'Too many messages wait for this process.');
    }
  }

  /** `settle` receives the outcome. */
  ask(record, method, data, form, timeout, settle) {
    const call = new DirectCall(record, method, keep(data, formOf(form)), form, settle);
    this.admit(record, call);
    this.deadlines.add(call, timeout);
    return call;
  }

  tell(record, method, data, form) {
    this.admit(record, new Message(record, method, keep(data, formOf(form)), form));
  }

  // --- open and closed ---

  /** A message went through the core, and the next ones need not. */
  open(record) {
    if (record.direct !== CLOSED || !this.channel.native.openDirect(record.id, record.handle)) return;
    record.direct = OPENING;
    record.openings += 1;
  }

  /** All that went through the core has arrived. */
  opened(record) {
    record.openings -= 1;
    // It may have been closed and opened again since: the last event counts, what came between is behind this one.
    if (record.direct !== OPENING || record.openings > 0) return;
    record.direct = OPEN;
    const { waiting } = record;
    record.waiting = [];
    for (const message of waiting) {
      this.queue.push(message);
      this.units += sizeOf(message.payload);
    }
    if (waiting.length > 0) this.channel.touch();
  }

  /** What has not started goes to the core. */
  close(record) {
    if (record.direct === CLOSED) return;
    const waiting = record.direct === OPENING ? record.waiting : this.takeOut(record);
    record.direct = CLOSED;
    record.waiting = [];
    for (const message of waiting) this.pass(message);
  }

  closeAll() {
    const waiting = this.queue.slice(this.first);
    this.empty();
    for (const record of this.workers.records.values()) {
      for (const message of record.waiting) waiting.push(message);
      record.direct = CLOSED;
      record.waiting = [];
    }
    for (const message of waiting) this.pass(message);
  }

  empty() {
    this.queue = [];
    this.first = 0;
    this.units = 0;
  }

  /** This broker cannot prove that it lives. What its handlers asked ends. */
  suspended() {
    this.closeAll();
    for (const { turn } of this.deadlines.all()) if (turn !== null) turn.abortCalls();
  }

  takeOut(record) {
    const taken = [];
    const left = [];
    for (let at = this.first; at < this.queue.length; at += 1) {
      const message = this.queue[at];
      (message.record === record ? taken : left).push(message);
    }
    this.first = 0;
    this.queue = left;
    for (const { payload } of taken) this.units -= sizeOf(payload);
    return taken;
  }

  pass(message) {
    const { channel } = this;
    const { record, method, payload, form } = message;
    const isAsk = message instanceof DirectCall;
    if (isAsk && !message.open) return;
    const slot = channel.calls.freeSlot();
    if (isAsk) {
      message.close();
      channel.calls.set(slot, message.settle);
      const left = Math.max(Math.ceil(message.deadline - monotonicClock()), 0);
      channel.native.ask(slot, record.id, method, payload, form, left);
    } else channel.native.tell(slot, record.id, method, payload, form);
    channel.touch();
  }

  // --- handling ---

  get hasWork() {
    return this.first < this.queue.length;
  }

  /** Starts handlers of up to `max` messages that wait now, as long as the turn lasts. */
  run(max) {
    if (this.answers.held.length > 0) this.answers.release();
    const { pace } = this.channel;
    for (let left = Math.min(max, this.queue.length - this.first); left > 0 && this.hasWork && !pace.isOver(); left -= 1) {
      const message = this.queue[this.first];
      if (!this.proves(message.record, pace.now)) {
        this.closeAll();
        return;
      }
      this.queue[this.first] = undefined;
      this.first += 1;
      this.units -= sizeOf(message.payload);
      if (message instanceof DirectCall) this.handle(message);
      else this.handleTell(message);
    }
    if (!this.hasWork) this.queue.length = 0;
    else if (this.first > MAX_MESSAGES) this.queue.splice(0, this.first);
    else return;
    this.first = 0;
  }

  handle(call) {
    if (!call.open) return;
    if (call.deadline <= this.time) {
      call.tooLate();
      return;
    }
    const outcome = new DirectOutcome(this, call);
    call.begin(outcome);
    handle(outcome, runAsk, call);
  }

  handleTell(message) {
    handle(new TellOutcome(this.workers, 0, message.record, message.method), runTell, message);
  }

  /** As {@link Workers#mayStart}: the core is asked when the clock has moved on since it last said yes. */
  proves(record, now = wallClock()) {
    if (now !== this.looked) {
      this.looked = now;
      this.time = monotonicClock();
    }
    if (now === record.provenAt) return true;
    const proven = this.channel.native.proves(record.handle);
    record.provenAt = proven ? now : 0;
    return proven;
  }

  // --- ends ---

  /** Whether a caller waits for a handler of this worker. */
  handles(record) {
    return record.handling > 0;
  }

  handled(record) {
    if (record.handling === 0) return [];
    return this.deadlines.all().filter((call) => call.record === record && call.turn !== null);
  }

  /** The worker may live at another broker from here on: answers of its handlers are no longer accepted. */
  cut(record) {
    for (const call of this.handled(record)) {
      const text = `The worker "${record.id}" ended, or moved, while it handled the call.`;
      call.reject(failure('DW_ERR_PEER_LOST', text, 'unknown'));
    }
  }

  /** Ends everything with `error()`. */
  failAll(error) {
    this.empty();
    this.answers.held = [];
    for (const call of this.deadlines.all()) if (call.open) call.reject(error());
  }
}

module.exports.Direct = Direct;
module.exports.CLOSED = CLOSED;
