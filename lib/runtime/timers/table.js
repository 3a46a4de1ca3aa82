/**
 * The timers of one worker that is awake: which are due, how they fire, and what is stored of them.
 *
 * They are stored with the worker's data, in one text. A firing is stored twice: that it begins (its attempt), and that it ended, together
 * with its next time and with what its handler changed in the data.
 */
'use strict';

const { parse } = require('./cron');
const { isRepeated, timeAfter, timeToFire } = require('./recurrence');
const { fits } = require('../../options/arguments');
const { outside } = require('../../base/context');
const { failure } = require('../../base/errors');
const { isThenable, observe } = require('../../base/promises');
const { clearTimeout, setTimeout } = require('../../base/timers');
const { FORM } = require('../../protocol');

/** The method of the tell that fires a timer in the worker's turn; its data is the key. No application can send it. */
const TIMER = '\u0000timer';
/** `Worker.State.ACTIVE` */
const ACTIVE = 2;
/** Attempts after the first one that failed, where the timer sets no other number. */
const RETRIES = 5;
/** Until the first of them, ms; each later one takes twice as long, up to the longest. */
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 60_000;
/** Between a firing that could not begin and the next try, ms. */
const AGAIN_MS = 1000;
/** Timers that begin to fire in one turn of the event loop. */
const FIRINGS_A_TURN = 100;
/** The longest delay of a timer of Node.js, ms; and the longest wait at once, because the server's clock may be set. */
const LONGEST_DELAY = 60_000;

/** What a timer does now: it waits; its attempt is being stored; its tell is under way; its handler runs. */
const WAITING = 0;
const CLAIMED = 1;
const SENT = 2;
const RUNNING = 3;

class TimerTable {
  /** @param {DataCell} cell with which the timers are stored */
  constructor(cell) {
    this.cell = cell;
    this.workers = cell.workers;
    this.record = null;
    this.timers = new Map();
    this.alarm = null;
    this.stopped = false;
    this.look = this.look.bind(this);
  }

  /** What was stored. */
  load(list) {
    if (!Array.isArray(list) || !list.every(isSound)) throw new TypeError('The stored timers are not in the form of this version');
    for (const { data, ...timer } of list) this.timers.set(timer.key, { ...timer, text: JSON.stringify(data), state: WAITING, notBefore: 0 });
    return this;
  }

  get native() {
    const { channel } = this.workers.core;
    return channel === null ? null : channel.native;
  }

  /** The server's clock, ms. */
  now() {
    const { native } = this;
    return native === null ? 0 : native.redisTime();
  }

  // --- stored ---

  /** A key that no timer of the worker has. */
  freeKey() {
    let n = this.timers.size + 1;
    while (this.timers.has(`#${n}`)) n += 1;
    return `#${n}`;
  }

  /** Takes the timer in, in the place of one of the same key; throws where there are too many. */
  admit(timer, maxTimers, maxBytes) {
    const before = this.timers.get(timer.key);
    if (before === undefined && this.timers.size >= maxTimers) {
      throw failure('DW_ERR_OVERLOADED', `Worker ${this.record.id} has ${maxTimers} timers already, which is the most that one worker may have.`);
    }
    this.timers.set(timer.key, { ...timer, state: WAITING, notBefore: 0 });
    if (!fits(this.toText(), maxBytes)) {
      if (before === undefined) this.timers.delete(timer.key);
      else this.timers.set(timer.key, before);
      throw failure('DW_ERR_TOO_LARGE', `The timers of worker ${this.record.id} take more than ${maxBytes} bytes.`);
    }
    this.arm();
  }

  /** As the application is shown them, the next one first. */
  list() {
    const list = [...this.timers.values()].map(({ key, method, text, time, retry, attempt = 0, every, cron, timezone }) => {
      const data = text === undefined ? undefined : JSON.parse(text);
      return { key, method, data, time: retry ?? time, attempt, every, cron, timezone };
    });
    return list.sort((a, b) => a.time - b.time);
  }

  delete(key) {
    const found = this.timers.delete(key);
    this.arm();
    return found;
  }

  /** When the next timer is due, ms; 0: there is none. */
  next() {
    let next = Infinity;
    for (const timer of this.timers.values()) next = Math.min(next, dueOf(timer));
    return next === Infinity ? 0 : Math.max(next, 1);
  }

  toText() {
    if (this.timers.size === 0) return '';
    return `[${[...this.timers.values()].map(textOf).join(',')}]`;
  }

  /** Whether one is due within so many ms, or fires. */
  isDueWithin(ms) {
    const next = this.next();
    return next > 0 && next - this.now() <= ms;
  }

  // --- due ---

  /** The worker is active. */
  start(record) {
    this.record = record;
    this.arm();
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.alarm);
    this.alarm = null;
  }

  arm() {
    clearTimeout(this.alarm);
    this.alarm = null;
    if (this.stopped || this.record === null || this.native === null) return;
    let next = Infinity;
    for (const timer of this.timers.values()) {
      if (timer.state === WAITING) next = Math.min(next, Math.max(dueOf(timer), timer.notBefore));
    }
    if (next === Infinity) return;
    const delay = Math.min(Math.max(next - this.now(), 0), LONGEST_DELAY);
    this.alarm = outside(setTimeout, this.look, delay);
    this.alarm.unref();
  }

  look() {
    this.alarm = null;
    if (this.stopped || this.native === null || this.record.state !== ACTIVE) return;
    const now = this.now();
    let left = FIRINGS_A_TURN;
    for (const timer of this.timers.values()) {
      if (left === 0) break;
      if (timer.state !== WAITING || Math.max(dueOf(timer), timer.notBefore) > now) continue;
      left -= 1;
      this.begin(timer, now);
    }
    this.arm();
  }

  begin(timer, now) {
    const { attempt = 0, retries = RETRIES } = timer;
    if (attempt > retries) {
      this.giveUp(timer, new Error(`The process of worker ${this.record.id} ended during attempt ${attempt}, which was the last one`));
      this.store();
      return;
    }
    if (attempt === 0 && timeToFire(timer, now) === undefined) {
      if (timer.time === undefined) this.timers.delete(timer.key);
      this.store();
      return;
    }
    timer.attempt = attempt + 1;
    timer.retry = undefined;
    timer.state = CLAIMED;
    this.cell.store(
      () => this.send(timer),
      () => {
        timer.attempt = attempt;
        this.again(timer);
      }
    );
  }

  /** Into the worker's own order. */
  send(timer) {
    if (this.isGone(timer) || this.native === null) return;
    timer.state = SENT;
    const sent = this.workers.core.channel.tellNow(this.record.id, TIMER, JSON.stringify(timer.key), FORM.JSON_TEXT);
    sent.then(undefined, () => {
      if (timer.state !== SENT) return;
      undo(timer);
      this.again(timer);
      this.store();
    });
  }

  /** The instance ends: firings that have not reached their handlers were no attempts. */
  leave() {
    this.stop();
    const unbegun = [...this.timers.values()].filter(({ state }) => state === CLAIMED || state === SENT);
    if (unbegun.length === 0) return;
    unbegun.forEach(undo);
    this.store();
  }

  /** It could not begin to fire. */
  again(timer) {
    if (timer.state === RUNNING) return;
    timer.state = WAITING;
    timer.notBefore = this.now() + AGAIN_MS;
    this.arm();
  }

  /** It was replaced or cancelled, or the worker ended. */
  isGone(timer) {
    return this.stopped || this.timers.get(timer.key) !== timer;
  }

  // --- fired ---

  /** Runs the handler; what it returns settles when the handler has. */
  fire(key) {
    const timer = this.timers.get(key);
    // It came to another instance, or was replaced meanwhile: that one is looked after by itself.
    if (timer === undefined || timer.state !== SENT) return undefined;
    timer.state = RUNNING;
    this.cell.compose();
    const { worker } = this.record;
    let result;
    try {
      const data = timer.text === undefined ? undefined : JSON.parse(timer.text);
      result = worker.onTimer(timer.method, data, { key, scheduledAt: timer.time, attempt: timer.attempt });
      if (!isThenable(result)) {
        this.ended(timer, false);
        return undefined;
      }
    } catch (error) {
      this.ended(timer, true, error);
      return undefined;
    }
    return new Promise((resolve) => {
      const end = (failed, error) => {
        this.ended(timer, failed, error);
        resolve();
      };
      observe(result, () => end(false), (error) => end(true, error));
    });
  }

  ended(timer, failed, error) {
    this.cell.composed();
    if (!this.isGone(timer)) {
      timer.state = WAITING;
      if (failed) this.failed(timer, error);
      else this.advance(timer);
    } else if (failed) this.report(timer, error);
    this.cell.compare();
    this.store();
    this.arm();
  }

  failed(timer, error) {
    const { attempt, retries = RETRIES } = timer;
    if (attempt > retries) {
      this.giveUp(timer, error);
      return;
    }
    const wait = Math.min(FIRST_RETRY_MS * 2 ** (attempt - 1), LONGEST_RETRY_MS);
    timer.retry = this.now() + wait;
    this.workers.reports.timerFailed(this.record, timer, error, wait);
  }

  giveUp(timer, error) {
    this.report(timer, error);
    this.advance(timer);
  }

  report(timer, error) {
    this.workers.reports.handlerFailed(this.record, 'onTimer', timer.method, error, 'error');
  }

  /** Its next time, where it has one. */
  advance(timer) {
    timer.attempt = undefined;
    timer.retry = undefined;
    const next = isRepeated(timer) ? timeAfter(timer, timer.time) : undefined;
    if (next === undefined) this.timers.delete(timer.key);
    else timer.time = next;
  }

  /** Nobody waits for this write. One that fails is reported, and the next one has what it had. */
  store() {
    this.cell.store(ignore, ignore);
  }
}

function ignore() {}

/** Its handler did not begin. */
function undo(timer) {
  timer.state = WAITING;
  timer.attempt = timer.attempt > 1 ? timer.attempt - 1 : undefined;
}

function dueOf({ retry, time }) {
  return retry ?? time;
}

/** Whether it is one as {@link textOf} writes them; another program may have written it. */
function isSound(timer) {
  if (timer === null || typeof timer !== 'object' || typeof timer.key !== 'string' || typeof timer.method !== 'string') return false;
  const { attempt = 0, cron, every = 1, retries = 0, retry = 1, time, timezone } = timer;
  if (![attempt, every, retries, retry, time].every(Number.isSafeInteger) || every < 1) return false;
  if (cron === undefined) return true;
  try {
    parse(cron, timezone);
    return true;
  } catch {
    return false;
  }
}

/** As JSON, without what only this process needs. */
function textOf({ text, ...timer }) {
  const json = JSON.stringify({ ...timer, state: undefined, notBefore: undefined });
  return text === undefined ? json : `${json.slice(0, -1)},"data":${text}}`;
}

/** Runs the timer that a tell to its worker names. */
function runTimer(outcome, key) {
  const { cell } = outcome.record;
  if (cell === null || cell.timers === null) return undefined;
  outcome.method = cell.timers.timers.get(key)?.method ?? 'onTimer';
  return cell.timers.fire(key);
}

module.exports.TIMER = TIMER;
module.exports.TimerTable = TimerTable;
module.exports.runTimer = runTimer;
