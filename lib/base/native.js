/**
 * Loads the native addon. No other file names it.
 */
'use strict';

const { explainLoadFailure } = require('./load-failure');
const { Names } = require('./names');

/** Name of the prebuilt package of this platform, as the napi CLI names it. */
function platformPackage() {
  const name = `@dworker/binding-${process.platform}-${process.arch}`;
  if (process.platform === 'win32') return `${name}-msvc`;
  if (process.platform !== 'linux') return name;
  return `${name}-${isMusl() ? 'musl' : 'gnu'}`;
}

function isMusl() {
  return glibcVersion() === undefined;
}

/** Of the C library that this process runs on; `undefined` where that is another one. */
function glibcVersion() {
  return process.report.getReport().header.glibcVersionRuntime;
}

function load() {
  try {
    return require('../../binding.js');
  } catch (error) {
    const { platform, arch, version } = process;
    const system = { platform, arch, node: version, glibc: glibcVersion(), packageName: platformPackage() };
    throw new Error(explainLoadFailure(error, system), { cause: error });
  }
}

const native = load();
const { NativeRouter, callWithoutContext, endEnvironment } = native;

/**
 * A broker's core. What is called for every message goes by a number: a method of the addon's class costs more.
 */
class NativeBroker extends native.NativeBroker {
  constructor(config, wake) {
    super(config, wake);
    this.id = this.number;
    this.names = new Names((number, text) => native.setName(this.id, number, text));
  }

  /** `data`, `form`: see lib/payload/payload.js. */
  ask(slot, workerId, method, data, form, timeout) {
    const { names } = this;
    native.ask(this.id, slot, names.shorten(workerId), names.shorten(method), data, form, timeout);
  }

  /** The handler of `inbound` asks, a number of the broker `home`. */
  askFor(slot, workerId, method, data, form, timeout, inbound, home) {
    const { names } = this;
    native.askFor(this.id, slot, names.shorten(workerId), names.shorten(method), data, form, timeout, inbound, home.id);
  }

  tell(slot, workerId, method, data, form) {
    const { names } = this;
    return native.tell(this.id, slot, names.shorten(workerId), names.shorten(method), data, form);
  }

  reply(inbound, data, form) {
    native.reply(this.id, inbound, data, form);
  }

  /**
   * The next batch of events as JSON text; `null` when there are none, and what was to be sent is written. `starts`: how
   * many may make handlers start.
   */
  drain(starts) {
    return native.drain(this.id, starts);
  }

  /** Copies a payload of the current batch into a `Uint8Array`, unless it is longer than that; its length. */
  fetch(index, into) {
    return native.fetch(this.id, index, into);
  }

  /**
   * Whether the handler that this event of the current batch asks for may start. If not, it and all after it come again
   * when the lease has been renewed.
   */
  mayStart(index) {
    return native.mayStart(this.id, index);
  }

  /** Writes what this turn left to send; `true`: there are events to drain. */
  flush() {
    return native.flush(this.id);
  }
}

let leaves = false;

/**
 * From now on the brokers of this thread give their leases back when it ends by `process.exit()` or by an error that
 * nobody caught. (`terminate()` of a thread runs no JavaScript: the addon notices it by itself.)
 */
function leaveAtExit() {
  if (leaves) return;
  leaves = true;
  // An uncaught error or an exit code other than 0: a worker may have caused it.
  process.on('exit', (code) => endEnvironment(code !== 0));
}

module.exports.callWithoutContext = callWithoutContext;
module.exports.NativeBroker = NativeBroker;
module.exports.NativeRouter = NativeRouter;
module.exports.leaveAtExit = leaveAtExit;
