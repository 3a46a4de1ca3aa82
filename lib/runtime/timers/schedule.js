/**
 * `worker.schedule`: sets, lists and cancels the timers of a worker.
 */
'use strict';

const { types } = require('node:util');
const { nextTime, parse } = require('./cron');
const { TimerTable } = require('./table');
const { DataCell } = require('../data/cell');
const { NO_DATA } = require('../data/declaration');
const { badArgument, checkMethod, fits, optionsObject } = require('../../options/arguments');
const { durationOf } = require('../../options/duration');
const { TIMER: OPTIONS } = require('../../options/table');
const { failure } = require('../../base/errors');
const { answer } = require('../../base/promises');

/** Timers of one worker, bytes of the data of one and of its key, bytes of all of them. */
const MAX_TIMERS = 1000;
const MAX_DATA_BYTES = 64 * 1024;
const MAX_KEY_BYTES = 256;
const MAX_BYTES = 1024 * 1024;
/** The core writes times in 13 digits. */
const LAST_TIME = 9_999_999_999_999;
const CATCH_UPS = ['last', 'all', 'skip'];

class Schedule {
  #record;
  #promise;

  /**
   * @param {WorkerRecord} record
   * @param {function(): Function} promise gives the class of the promises that are returned
   */
  constructor(record, promise) {
    this.#record = record;
    this.#promise = promise;
  }

  /** Fires once, when this duration is over. Resolves with the key when it is stored. */
  after(delay, method, data, option, callback) {
    return this.#set(method, data, option, callback, () => ({ time: this.#table().now() + checkDuration('delay', delay) }));
  }

  /** Fires once, at this time. */
  at(time, method, data, option, callback) {
    return this.#set(method, data, option, callback, () => ({ time: checkTime(time) }));
  }

  /** Fires again and again, for the first time when this duration is over. */
  every(interval, method, data, option, callback) {
    return this.#set(method, data, option, callback, () => {
      const every = checkDuration('interval', interval);
      return { time: this.#table().now() + every, every };
    });
  }

  /** Fires at the times of a cron expression. */
  cron(expression, method, data, option, callback) {
    return this.#set(method, data, option, callback, ({ timezone }) => {
      const times = checkCron(expression, timezone);
      const time = nextTime(times, this.#table().now());
      if (time === undefined) throw badArgument('a cron expression with a time to come', 'cron expression', expression);
      return { time, ...times };
    });
  }

  /** All timers of the worker, the next one first. */
  list(callback) {
    return this.#answer(callback, () => this.#table().list());
  }

  /** Resolves with whether there was one. */
  cancel(key, callback) {
    return this.#answer(callback, (PromiseClass) => {
      checkKey(key);
      const table = this.#table();
      if (!table.delete(key)) return false;
      return this.#stored(PromiseClass, table, true);
    });
  }

  #set(method, data, option, callback, times) {
    const given = typeof option === 'function' ? undefined : option;
    return this.#answer(typeof option === 'function' ? option : callback, (PromiseClass) => {
      checkMethod(method);
      const { key, catchUp, retries, timezone } = checkOption(this.#record, given);
      const text = textOf(data);
      const table = this.#table();
      const timer = { key: key ?? table.freeKey(), method, text, ...times({ timezone }), catchUp, retries };
      table.admit(timer, MAX_TIMERS, MAX_BYTES);
      return this.#stored(PromiseClass, table, timer.key);
    });
  }

  #answer(callback, work) {
    const PromiseClass = this.#promise();
    return answer(PromiseClass, callback, () => PromiseClass.resolve(work(PromiseClass)));
  }

  #stored(PromiseClass, { cell }, value) {
    return new PromiseClass((resolve, reject) => cell.store(() => resolve(value), reject));
  }

  #table() {
    const record = this.#record;
    if (record.owner === null) throw failure('DW_ERR_STATE', `Worker ${record.id} is still being constructed. Set timers in onCreate or later.`);
    if (record.cell === null) record.cell = new DataCell(record.owner, record.handle, NO_DATA);
    const { cell } = record;
    if (cell.ended) throw failure('DW_ERR_STATE', `Worker ${record.id} has ended, and its timers are not stored any more.`);
    if (cell.timers === null) {
      cell.timers = new TimerTable(cell);
      cell.timers.start(record);
    }
    return cell.timers;
  }
}

function checkOption(record, option) {
  const given = optionsObject('option of a timer', option);
  record.owner?.core.reporter.checkNames('schedule', OPTIONS, given);
  const { key, catchUp, retries } = given;
  if (key !== undefined) checkKey(key);
  if (catchUp !== undefined && !CATCH_UPS.includes(catchUp)) throw badArgument(`one of ${CATCH_UPS.map((each) => `'${each}'`).join(', ')}`, 'option.catchUp', catchUp);
  if (retries !== undefined && !(Number.isInteger(retries) && retries >= 0 && retries <= MAX_TIMERS)) throw badArgument(`an integer from 0 to ${MAX_TIMERS}`, 'option.retries', retries);
  return given;
}

function checkKey(key) {
  if (typeof key !== 'string' || key === '' || !fits(key, MAX_KEY_BYTES) || !key.isWellFormed()) throw badArgument(`a string of 1 to ${MAX_KEY_BYTES} bytes`, 'key of a timer', key);
}

function checkDuration(name, value) {
  const ms = durationOf(value);
  if (ms === undefined) throw badArgument("a duration (a number of ms, or '500ms', '30s', '10m', '2h', '7d')", `${name} of a timer`, value);
  return ms;
}

function checkTime(value) {
  const ms = types.isDate(value) ? value.getTime() : value;
  if (!Number.isInteger(ms) || ms < 1 || ms > LAST_TIME) throw badArgument('a Date or a number of ms since 1970', 'time of a timer', value);
  return ms;
}

function checkCron(cron, timezone) {
  if (typeof cron !== 'string') throw badArgument('a string', 'cron expression', cron);
  if (timezone !== undefined && typeof timezone !== 'string') throw badArgument('the name of a time zone', 'option.timezone', timezone);
  const zone = timezone ?? 'UTC';
  try {
    parse(cron, zone);
  } catch (error) {
    throw failure('DW_ERR_CONFIG', `Expected a cron expression and a time zone but received '${cron}' and '${zone}': ${error.message}`);
  }
  return { cron, timezone: zone };
}

function textOf(data) {
  const text = JSON.stringify(data);
  if (text === undefined || fits(text, MAX_DATA_BYTES)) return text;
  throw failure('DW_ERR_TOO_LARGE', `Expected data of a timer of at most ${MAX_DATA_BYTES} bytes of JSON but it takes ${Buffer.byteLength(text)}.`);
}

module.exports.Schedule = Schedule;
