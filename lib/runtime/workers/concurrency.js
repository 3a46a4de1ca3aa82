/**
 * The concurrency of a worker class: `static concurrency` and `static maxQueue`.
 */
'use strict';

const { badArgument } = require('../../options/arguments');
const { LIMIT } = require('../../protocol');

/** The longest queue that the core counts. */
const LONGEST_QUEUE = 2 ** 31 - 1;

/**
 * How many messages wait at most for a serial worker of the class; 0 for a parallel one.
 *
 * @throws {Error} with `DW_ERR_CONFIG`
 */
function concurrencyOf(WorkerClass) {
  const { concurrency = 'parallel', maxQueue = LIMIT.WAITING_MESSAGES } = WorkerClass;
  if (concurrency !== 'parallel' && concurrency !== 'serial') {
    throw badArgument("'parallel' or 'serial'", 'concurrency of the worker class', concurrency);
  }
  if (!Number.isInteger(maxQueue) || maxQueue < 1 || maxQueue > LONGEST_QUEUE) {
    throw badArgument(`an integer from 1 to ${LONGEST_QUEUE}`, 'maxQueue of the worker class', maxQueue);
  }
  return concurrency === 'serial' ? maxQueue : 0;
}

module.exports.concurrencyOf = concurrencyOf;
