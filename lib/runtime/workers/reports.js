/**
 * What a broker reports of its workers: lines of the log, events and diagnostics.
 */
'use strict';

const { publishFinding, publishWorker } = require('../../base/diagnostics');
const { describe } = require('../messages/failures');

/** The fields of a line of the log that is about a worker. */
function fieldsOf({ id, className, epoch }) {
  return { worker: id, class: className, epoch };
}

function firstLine(error) {
  return describe(error).message.split('\n', 1)[0];
}

class Reports {
  /** @param {Core} core */
  constructor(core) {
    this.core = core;
  }

  /** A worker was `'activated'` or has `'ended'`, for this cause. */
  life(record, event, cause) {
    const { reporter } = this.core;
    publishWorker(event, record, cause);
    if (reporter.logger !== null) reporter.line('debug', `Worker ${record.id} ${event}`, { event, ...fieldsOf(record), cause });
  }

  /** A handler threw an error. Where no listener hears of it, a warning does. `kind`: `'onTell'`, `'onCreate'`, `'onDestroy'`. */
  handlerFailed(record, kind, method, error, level) {
    const { reporter } = this.core;
    const message = `Worker ${record.id} failed in '${method}': ${describe(error).message}`;
    reporter.logOften(`failed ${kind}`, level, message, { ...fieldsOf(record), method, err: error });
    reporter.emit('workerError', { id: record.id, method, error });
    reporter.unheard(kind, message, error);
  }

  /** A worker could not be constructed. `answered`: the error goes to the caller of `createWorker()`. */
  notConstructed({ id, className, error, answered }) {
    const { id: broker, reporter } = this.core;
    const message = `Worker ${id} of class ${className} could not be constructed: ${firstLine(error)}`;
    reporter.logOften('not made', 'error', message, { worker: id, class: className, method: 'constructor', err: error });
    publishFinding('failed', broker, { worker: id, class: className, error });
    reporter.emit('workerError', { id, method: 'constructor', error });
    if (!answered) reporter.unheard('constructor', message, error);
  }

  /** A change of a worker's data could not be stored. */
  notStored(handle, error) {
    const record = this.core.workers.records.get(handle);
    if (record === undefined) return;
    this.core.reporter.logOften('not stored', 'error', `Worker ${record.id}: ${error.message}`, { ...fieldsOf(record), err: error });
  }

  /** The handler of a timer failed, and is tried again after `wait` ms. */
  timerFailed(record, { key, method, attempt }, error, wait) {
    const message = `Attempt ${attempt} of timer '${key}' of worker ${record.id} failed in '${method}': ${firstLine(error)}. Trying again in ${wait} ms`;
    this.core.reporter.logOften('timer', 'warn', message, { ...fieldsOf(record), method, err: error });
  }

  /** A worker had timers, or data that its class does not use any more, and they are not there. */
  timersLost(handle) {
    this.core.reporter.logOften('timers lost', 'error', `The stored timers of a worker (instance ${handle}) are missing or were written by another program. It goes on without them`);
  }

  /** A step of a worker's life, or a handler that its end waits for, took longer than it may. */
  overdue(record, message, method) {
    const fields = method === undefined ? fieldsOf(record) : { ...fieldsOf(record), method };
    this.core.reporter.logOften('overdue', 'warn', message, fields);
  }

  /** A handler has been running for a long time. */
  slow(record, method, message) {
    this.core.reporter.logOften('slow', 'warn', message, { ...fieldsOf(record), method });
  }
}

module.exports.Reports = Reports;
module.exports.firstLine = firstLine;
