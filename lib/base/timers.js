/**
 * The timers and clocks of the runtime, as they were when this package was loaded.
 *
 * Test runners (Jest, Vitest, sinon, node:test) replace the global ones, so that the application's own time can be set. The
 * package must not follow: its deadlines and leases are about real time, and with a replaced `setImmediate` no answer would
 * ever arrive. The globals are therefore used nowhere else in `lib/` (a lint rule).
 */
'use strict';

const { performance } = require('node:perf_hooks');
// Not the globals: a test runner that replaces those before it loads this file leaves the module alone, mostly.
const timers = require('node:timers');
const { runInNewContext } = require('node:vm');

/** A function that is implemented in JavaScript has replaced the one of the engine. */
function isNative(implementation) {
  return /\{\s*\[native code\]\s*\}$/.test(Function.prototype.toString.call(implementation));
}

/** `Date.now` of the engine. A new context has its own, which nothing has replaced. */
const wallClock = isNative(Date.now) && isNative(Date) ? Date.now : runInNewContext('Date.now');

if (timers.setTimeout.clock !== undefined) {
  process.emitWarning('The timers of node:timers were replaced before dworker was loaded. Load dworker before fake timers are installed.', {
    code: 'DW_WARN_FAKE_TIMERS',
  });
}

/** What `Date.now()` of the application gives at the moment. For times that the application compares with it, and for nothing else. */
function applicationClock() {
  return Date.now();
}

/** The class, for dates that arrive. */
module.exports.Date = Date;
module.exports.applicationClock = applicationClock;
module.exports.setImmediate = timers.setImmediate;
module.exports.setTimeout = timers.setTimeout;
module.exports.clearTimeout = timers.clearTimeout;
module.exports.setInterval = timers.setInterval;
module.exports.clearInterval = timers.clearInterval;
/** ms since 1970; steps when the system's clock is set. */
module.exports.wallClock = wallClock;
/** ms since the process started; never steps, and does not advance while the machine sleeps. */
module.exports.monotonicClock = performance.now.bind(performance);
