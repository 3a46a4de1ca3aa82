/**
 * What tests and the demonstration do to a broker that no application would.
 */
'use strict';

const { kCore } = require('../base/symbols');

/**
 * Cuts a broker off as a killed process is: no goodbye, no hand-over, no lease renewal. Its state becomes DESTROYED.
 *
 * @param {Broker} broker
 */
function crash(broker) {
  broker[kCore].crash();
}

module.exports.crash = crash;
