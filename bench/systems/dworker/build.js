/** The build of dworker that is measured: this checkout's, or the one that `--build` names. */
'use strict';

module.exports = require(process.env.DWORKER_BENCH_BUILD || '../../..');
