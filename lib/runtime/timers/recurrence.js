/**
 * When a timer is due next. Pure: times are ms of the server's clock.
 */
'use strict';

const cron = require('./cron');

/** How late a firing may be before it counts as missed, ms. */
const LATE_MS = 1000;

function isRepeated(timer) {
  return timer.every !== undefined || timer.cron !== undefined;
}

/** The first time of a repeated timer after `time`. Those of `every` stay multiples of it from the first one on. */
function timeAfter(timer, time) {
  if (timer.cron !== undefined) return cron.nextTime(timer, time);
  return timer.time + (Math.floor((time - timer.time) / timer.every) + 1) * timer.every;
}

/** The last time of a repeated timer until `now`, which its next time is not after. */
function timeUntil(timer, now) {
  if (timer.cron !== undefined) return Math.max(cron.lastTime(timer, now) ?? timer.time, timer.time);
  return timer.time + Math.floor((now - timer.time) / timer.every) * timer.every;
}

/**
 * The time that a timer fires for which is due at `now`: as `catchUp` says of the times that were missed. `undefined`: it does not
 * fire; `timer.time` is its next time then, or `undefined` where there is none.
 */
function timeToFire(timer, now) {
  const { catchUp = 'last', time } = timer;
  if (catchUp === 'skip' && now - time > LATE_MS) {
    timer.time = isRepeated(timer) ? timeAfter(timer, now) : undefined;
    return undefined;
  }
  if (catchUp === 'last' && isRepeated(timer)) timer.time = timeUntil(timer, now);
  return timer.time;
}

module.exports.isRepeated = isRepeated;
module.exports.timeAfter = timeAfter;
module.exports.timeToFire = timeToFire;
