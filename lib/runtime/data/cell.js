/**
 * The data of one worker: its value, which changes of it are stored, and what waits for that.
 *
 * Changes are counted. One write is under way at most; what changes meanwhile is the next one. What has to wait for a change waits for
 * the write that has it, in the order in which it came.
 */
'use strict';

const { checkData, freezeData } = require('./frozen');
const { gates } = require('./gates');
const { fits } = require('../../options/arguments');
const { failure } = require('../../base/errors');
const { outside } = require('../../base/context');
const { throwLater } = require('../../base/promises');
const { clearTimeout, setTimeout } = require('../../base/timers');

/** Between a write that failed and the next try that nobody asked for, ms. */
const RETRY_MS = 1000;

class DataCell {
  /**
   * @param {Workers} workers
   * @param {number} handle of the worker
   * @param {object} declaration see declaration.js
   */
  constructor(workers, handle, declaration) {
    this.workers = workers;
    this.handle = handle;
    this.declaration = declaration;
    this.gated = declaration.save === 'gate';
    this.value = undefined;
    /** Of the class that the stored data is of. */
    this.version = declaration.version;
    /** The number of the last change, and of the last one that is stored. */
    this.change = 0;
    this.stored = 0;
    /** A write is under way, which has the changes up to `writing`. */
    this.busy = false;
    this.writing = 0;
    this.revision = 0;
    /** Something is stored. Until then, or after a migration, the value is stored when `onCreate` has ended. */
    this.exists = false;
    this.fresh = true;
    /** What is stored may have been lost. */
    this.doubted = false;
    /** The last text of data that may change without an assignment. */
    this.text = undefined;
    /** What is stored, of data that only `save()` stores. */
    this.savedText = undefined;
    this.savedTimers = [0, ''];
    /** Answers and messages that wait: `{change, release, reject}`. */
    this.held = [];
    /** The same for those that wait for the write alone, in no order: `{change, resolve, reject}`. */
    this.savers = [];
    /** It is among those that are written at the end of the turn. */
    this.due = false;
    this.timer = null;
    this.ended = false;
    this.counted = false;
    /** The timers of the worker, which are stored with its data; `null` without any (lib/runtime/timers/table.js). */
    this.timers = null;
    /** How many handlers of timers run: what they change is stored when they have ended, with the next time of their timer. */
    this.composing = 0;
  }

  /** What was stored, or the first value. */
  load(value, { exists, migrated }) {
    const { declaration } = this;
    this.adopt(value);
    this.exists = exists;
    this.fresh = !exists || migrated;
    if (declaration.mutable) this.text = JSON.stringify(value);
    if (declaration.save === 'manual' && !this.fresh) this.savedText = JSON.stringify(value);
    this.count();
  }

  adopt(value) {
    if (this.declaration.mutable) checkData(value);
    else freezeData(value);
    this.value = value;
  }

  /** The application assigned a value. */
  set(value) {
    this.adopt(value);
    if (this.declaration.mutable) this.text = undefined;
    this.changed();
  }

  /** Data that may change without an assignment is compared with what it was. */
  compare() {
    if (!this.declaration.mutable || this.ended) return;
    let text;
    try {
      text = JSON.stringify(this.value);
    } catch {
      // The write says what is wrong with it.
    }
    if (text !== undefined && text === this.text) return;
    this.text = text;
    this.changed();
  }

  changed() {
    if (this.ended) return;
    this.change += 1;
    this.count();
    if (this.gated) this.schedule();
    else if (this.declaration.save === 'behind') this.scheduleLater(this.declaration.flush);
  }

  /** `onCreate` has ended well. Returns whether the worker is to wait until its data is stored. */
  begin() {
    if (this.fresh && this.declaration.save !== 'manual') {
      this.fresh = false;
      if (this.change === this.stored) this.changed();
    }
    return this.isHolding();
  }

  // --- what waits ---

  /** Whether answers and messages have to wait. */
  isHolding() {
    return this.gated && this.change > this.stored && !this.ended;
  }

  /** `release()` is called when the last change is stored, or `reject(error)`. */
  hold(release, reject) {
    this.held.push({ change: this.change, release, reject });
    this.schedule();
  }

  /** Calls `next()` when all changes are stored, or `next(error)`. Those of data that only `save()` stores are left alone. */
  whenStored(next) {
    const manual = this.declaration.save === 'manual' && !this.savers.some(({ asked }) => asked);
    if (!manual) this.compare();
    if (this.ended || (!this.busy && (manual || this.change <= this.stored))) {
      next();
      return;
    }
    const change = manual ? this.writing : this.change;
    this.savers.push({ change, asked: false, resolve: () => next(), reject: next });
    if (!manual) this.schedule();
  }

  /** `save()` of the worker. */
  save(resolve, reject) {
    if (this.ended) {
      reject(failure('DW_ERR_STATE', 'The worker has ended, and its data is not stored any more.'));
      return;
    }
    this.compare();
    if (this.fresh) {
      this.fresh = false;
      if (this.change === this.stored) this.changed();
    }
    if (this.change <= this.stored) {
      resolve();
      return;
    }
    this.savers.push({ change: this.change, asked: true, resolve, reject });
    this.schedule();
  }

  /** What is stored has changed beside the value: it is written with that, in whichever mode. */
  store(resolve, reject) {
    if (this.ended) {
      reject(failure('DW_ERR_STATE', 'The worker has ended, and nothing of it is stored any more.'));
      return;
    }
    this.change += 1;
    this.count();
    this.savers.push({ change: this.change, asked: true, resolve, reject });
    this.schedule();
  }

  /** A handler of a timer begins. */
  compose() {
    this.composing += 1;
  }

  composed() {
    this.composing -= 1;
  }

  // --- writing ---

  /** Writes at the end of the turn. */
  schedule() {
    const { channel } = this.workers.core;
    if (this.due || this.busy || this.ended || channel === null || this.isComposing()) return;
    this.due = true;
    channel.saveAtEnd(this);
  }

  /** Whether all changes belong to handlers of timers that run, and nothing waits for them. */
  isComposing() {
    return this.composing > 0 && this.held.length === 0 && this.savers.length === 0 && !this.doubted;
  }

  scheduleLater(ms) {
    if (this.timer !== null || this.ended) return;
    this.timer = outside(setTimeout, () => {
      this.timer = null;
      this.schedule();
    }, ms);
  }

  /** The turn is over. */
  write() {
    this.due = false;
    if (this.busy || this.ended) return;
    // What only save() stores is put back as it was stored.
    const again = this.declaration.save === 'manual' && !this.savers.some(({ asked }) => asked);
    if (!this.doubted && (again || this.change <= this.stored)) return;
    this.writing = again ? this.stored : this.change;
    const text = again ? this.savedText : this.toText();
    if (text === undefined) return;
    const [next, timers] = again ? this.savedTimers : this.timersToStore();
    const { channel } = this.workers.core;
    const slot = channel.calls.freeSlot();
    channel.calls.set(slot, this);
    this.busy = true;
    this.doubted = false;
    this.revision += 1;
    clearTimeout(this.timer);
    this.timer = null;
    if (this.declaration.save === 'manual') [this.savedText, this.savedTimers] = [text, [next, timers]];
    channel.native.save(this.handle, slot, this.version, this.revision, text, next, timers);
  }

  /** When the next timer is due, and all of them. */
  timersToStore() {
    return this.timers === null ? [0, ''] : [this.timers.next(), this.timers.toText()];
  }

  /** `undefined`: it cannot be stored, and those who wait were told. */
  toText() {
    if (!this.declaration.hasData) return this.text ?? '';
    const { maxBytes } = this.declaration;
    const limit = Math.min(maxBytes, this.workers.core.config.maxMessageBytes);
    try {
      checkData(this.value);
      const text = JSON.stringify(this.value);
      if (fits(text, limit)) return text;
      const wrong = `Expected data of at most ${limit} bytes of JSON but it takes ${Buffer.byteLength(text)}.`;
      this.notStored(failure('DW_ERR_TOO_LARGE', wrong), false);
    } catch (error) {
      this.notStored(error, false);
    }
    return undefined;
  }

  /** The write is acknowledged. */
  resolve() {
    this.busy = false;
    this.exists = true;
    this.fresh = false;
    this.stored = Math.max(this.stored, this.writing);
    this.count();
    this.settle(this.stored, undefined);
    if (this.change > this.stored) {
      if (this.gated || this.savers.length > 0) this.schedule();
      else if (this.declaration.save === 'behind') this.scheduleLater(this.declaration.flush);
    } else if (this.doubted) this.schedule();
  }

  /** The write failed. */
  reject(error) {
    this.busy = false;
    if (error.code === 'DW_ERR_PEER_LOST' || error.code === 'DW_ERR_STATE') this.end(error);
    else this.notStored(error, true);
  }

  /** Those that wait for the changes of this write fail. The changes stay, and the next write has them. */
  notStored(cause, mayRetry) {
    const error = failure('DW_ERR_NOT_STORED', `The data of the worker could not be stored: ${cause.message}`);
    error.cause = cause;
    this.workers.reports.notStored(this.handle, error);
    this.settle(this.writing, error);
    if (this.ended) return;
    if (this.held.length > 0 || this.savers.length > 0) this.schedule();
    else if (mayRetry && this.declaration.save !== 'manual') this.scheduleLater(RETRY_MS);
  }

  settle(change, error) {
    const savers = this.savers.filter((each) => each.change <= change);
    if (savers.length > 0) this.savers = this.savers.filter((each) => each.change > change);
    let count = 0;
    while (count < this.held.length && this.held[count].change <= change) count += 1;
    for (const each of this.held.splice(0, count)) run(each.release, each.reject, error);
    for (const each of savers) run(each.resolve, each.reject, error);
  }

  /** The server may have lost what was stored. */
  doubt() {
    if (!this.exists || this.ended) return;
    this.doubted = true;
    this.schedule();
  }

  // --- the end ---

  /** The worker ends for good, and the registry knows: its data goes with it. */
  finish() {
    this.close();
    this.settle(Infinity, undefined);
  }

  /** Nothing is written any more. What waits fails. */
  end(error) {
    if (this.ended) return;
    this.close();
    this.settle(Infinity, error);
  }

  close() {
    this.ended = true;
    if (this.timers !== null) this.timers.stop();
    clearTimeout(this.timer);
    this.timer = null;
    this.count();
  }

  /** Keeps the number of workers that may hold messages back. */
  count() {
    const counts = this.gated && !this.ended && (this.declaration.mutable || this.change > this.stored);
    if (counts === this.counted) return;
    this.counted = counts;
    gates.count += counts ? 1 : -1;
  }
}

function run(done, failed, error) {
  try {
    if (error === undefined) done();
    else failed(error);
  } catch (thrown) {
    // The others are settled nevertheless.
    throwLater(thrown);
  }
}

module.exports.DataCell = DataCell;
