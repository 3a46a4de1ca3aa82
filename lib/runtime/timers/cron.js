/**
 * Cron expressions, by croner: no dependencies, well kept, and it knows the changes of summer time.
 *
 * A time that a clock skips is run when it goes on. While a clock shows times twice, an expression of one time of day is run once.
 */
'use strict';

const { Date } = require('../../base/timers');

/** Parsed expressions that are kept. */
const MOST = 1000;
const parsed = new Map();

/** @throws {Error} where one of the two is wrong */
function parse(expression, timezone) {
  const key = `${timezone} ${expression}`;
  let cron = parsed.get(key);
  if (cron === undefined) {
    // Loaded by those that use it.
    const { Cron } = require('croner');
    cron = new Cron(expression, { timezone, paused: true });
    cron.nextRun();
    if (parsed.size >= MOST) parsed.delete(parsed.keys().next().value);
    parsed.set(key, cron);
  }
  return cron;
}

/** The first time after `time`, in ms; `undefined`: there is none. */
function nextTime({ cron, timezone }, time) {
  return parse(cron, timezone).nextRun(new Date(time))?.getTime();
}

/** The last time that is not after `time`, in ms; `undefined`: there is none. */
function lastTime({ cron, timezone }, time) {
  return parse(cron, timezone).previousRuns(1, new Date(time + 1))[0]?.getTime();
}

module.exports.lastTime = lastTime;
module.exports.nextTime = nextTime;
module.exports.parse = parse;
