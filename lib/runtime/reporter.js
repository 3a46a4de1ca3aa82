/**
 * What a broker reports to its application: events, lines of the log and warnings.
 */
'use strict';

const { Log } = require('../base/log');
const { tellListeners, throwLater } = require('../base/promises');
const { warnOnce } = require('../base/warnings');
const { hasUnknown, unknownOptions } = require('../options/unknown');

class Reporter {
  /**
   * @param {Broker} broker whose listeners get the events
   * @param {string} id of the broker
   * @param {(false|Function|Object)=} log the option of that name
   */
  constructor(broker, id, log) {
    this.broker = broker;
    this.id = id;
    /** The application wants no warnings. */
    this.silent = log === false;
    /** The application's logger, which gets every line with its fields. */
    this.logger = typeof log === 'object' ? log : null;
    this.lines = new Log((level, message, fields) => this.log(level, message, fields));
    if (typeof log === 'function') broker.on('log', log);
  }

  isHeard(name) {
    return this.broker.listenerCount(name) > 0;
  }

  emit(name, ...details) {
    tellListeners(this.broker, name, ...details);
  }

  /** Whether a line of the log goes anywhere. */
  isLogged() {
    return this.logger !== null || this.isHeard('log');
  }

  /** A line for listeners of `log` and for the logger. `fields`: for the logger, `worker`, `class`, `epoch`, `peer`, `method`, `err`. */
  log(level, message, fields) {
    if (this.isHeard('log')) this.emit('log', { id: this.id, level, message });
    this.line(level, message, fields);
  }

  /** A line for the logger alone, where listeners get an event that says the same. */
  line(level, message, fields) {
    if (this.logger === null) return;
    try {
      this.logger[level]({ broker: this.id, ...fields }, message);
    } catch (error) {
      throwLater(error);
    }
  }

  /** As {@link log}, for what may happen again and again: at most one line a second of each kind. */
  logOften(kind, level, message, fields) {
    if (this.isLogged()) this.lines.write(kind, level, message, fields);
  }

  /** A mistake of the application that makes no call fail: a line of the log, or a warning where nothing receives the log. */
  caution(kind, message, code = 'DW_WARN_UNKNOWN_OPTION') {
    if (this.isLogged()) this.logOften(kind, 'warn', message);
    else if (!this.silent) warnOnce(kind, message, { code });
  }

  /** Mistakes in the options of the constructor. */
  cautionAll(mistakes) {
    for (const mistake of mistakes) this.caution(mistake, `new Broker("${this.id}"): ${mistake} The option is ignored.`);
  }

  /** Warns of names in an option object of `call` that its table does not have. */
  checkNames(call, table, given, elsewhere) {
    if (!hasUnknown(table, given)) return;
    for (const mistake of unknownOptions(table, given, '', elsewhere)) this.caution(`${call} ${mistake}`, `${call}: ${mistake} The option is ignored.`);
  }

  /** A failure that no caller receives: a warning where neither the log nor `workerError` has a listener. */
  unheard(kind, message, error) {
    if (this.silent || this.isLogged() || this.isHeard('workerError')) return;
    const advice = "Listen to 'workerError' or 'log' to receive every failure of this kind; this warning is given once.";
    const detail = error instanceof Error ? String(error.stack) : undefined;
    warnOnce(`unheard ${kind}`, `${message}. ${advice}`, { code: 'DW_WARN_UNHEARD_FAILURE', detail });
  }

  /** A failure that another broker reports as its own: a line of the log, or a warning where nothing receives the log. */
  failedElsewhere(kind, message) {
    if (this.isHeard('log')) this.logOften(kind, 'warn', message);
    else if (!this.silent) {
      const advice = "Listen to 'log' to receive every failure of this kind; this warning is given once.";
      warnOnce(`told ${kind}`, `${message}. ${advice}`, { code: 'DW_WARN_UNHEARD_FAILURE' });
    }
  }

  /** Writes the lines that still wait for their second. */
  close() {
    this.lines.close();
  }
}

module.exports.Reporter = Reporter;
