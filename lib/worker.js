/**
 * What an application's worker class inherits.
 */
'use strict';

const { absorbFields, keepOwn, refuseToSet } = require('./base/accessors');
const { badArgument } = require('./options/arguments');
const { current } = require('./base/context');
const { callMethod } = require('./runtime/workers/methods');
const { DESTROY } = require('./options/table');
const { ELSEWHERE } = require('./options/unknown');
const { Bluebird, answer, contextual, nodeify } = require('./base/promises');
const { failure } = require('./base/errors');
const { hidesData } = require('./runtime/data/declaration');
const { Schedule } = require('./runtime/timers/schedule');
const { LIMIT } = require('./protocol');
const { kCore, kRecord, hide } = require('./base/symbols');

/**
 * States of a worker.
 * @enum {number}
 * @memberof Worker
 */
const State = Object.freeze({ INACTIVE: 0, ACTIVATING: 1, ACTIVE: 2, DESTROYING: 3, DESTROYED: 4 });

/**
 * Why a worker was created: for the first time, again after its broker was lost or left, or because a message woke it.
 * @enum {number}
 * @memberof Worker
 */
const CreateCause = Object.freeze({ NEW: 0, RECOVERY: 1, HANDOVER: 2, WAKE: 3 });

/**
 * Why a worker is destroyed: by itself, with its broker, because another instance took its place, or because it was idle.
 * @enum {number}
 * @memberof Worker
 */
const DestroyCause = Object.freeze({ SELF: 0, SYSTEM: 1, FENCED: 2, HANDOVER: 3, IDLE: 4 });

/** Load of a worker that sets none. */
const DEFAULT_LOAD = 1;

/** The activation that the constructor which runs right now belongs to: it cannot be passed through a subclass. */
let activation = null;

/** What the package knows of one instance. */
class WorkerRecord {
  constructor(worker, id, broker, attributes) {
    this.worker = worker;
    this.id = id;
    this.broker = broker;
    /** The name that its class is registered by. */
    this.className = '';
    /** What may be called by name, where its class declares that (lib/runtime/workers/methods.js). */
    this.methods = null;
    this.attributes = attributes;
    /** One of `CreateCause`. */
    this.cause = CreateCause.NEW;
    this.state = State.INACTIVE;
    this.load = 0;
    /** What the base's `onCreate` sets. */
    this.initialLoad = DEFAULT_LOAD;
    this.epoch = activation === null ? '' : activation.epoch;
    /** Its data, where its class has static data (lib/runtime/data/cell.js). */
    this.cell = activation === null ? null : activation.cell;
    /** What `worker.schedule` gave, once it was asked for. */
    this.schedule = null;
    /** The core's name for this instance; 0 before it is taken over by {@link Workers}, which then is `owner`. */
    this.handle = 0;
    this.owner = null;
    /** How many messages wait at most, where it takes one at a time; else 0. */
    this.maxQueue = 0;
    /** How many handlers of messages have started and ended, modulo 2^32. */
    this.started = 0;
    this.ended = 0;
    /** After how many ms without a message it leaves memory; 0: never. And what is known of that (lib/runtime/workers/idle.js). */
    this.idle = 0;
    this.seen = 0;
    this.quiet = 0;
    /** How many of its {@link KeepAwake} are not released. */
    this.awake = 0;
    /** The text of the error of `onCreate`, for the creators of the worker. */
    this.createFailure = '';
    this.createError = undefined;
    /** Only its own end deletes it: it is made by messages, and one that fails in `onCreate` is not active. */
    this.kept = false;
    /** Asks of `agent.destroy()` that wait for its end. */
    this.enders = [];
    /** Whether its answers are encoded by the codec `'structured'`. */
    this.structured = false;
    /** Set by a destruction that has to wait for `onCreate`: the first one counts. */
    this.ending = null;
    /** How its broker's own messages reach it (lib/runtime/messages/direct.js), and which of them wait until that is open. */
    this.direct = 0;
    this.waiting = [];
    /** Events of this kind that have not arrived yet. */
    this.openings = 0;
    /** How many of its broker's own asks it handles that did not go through the core. */
    this.handling = 0;
    /** When the core last said that its broker holds it and can prove that it lives. */
    this.provenAt = 0;
    /** Ends the wait for an `onDestroy` that never does. */
    this.overdue = undefined;
    /** The message that it is at, where it takes one at a time; and what follows when that has settled. */
    this.turn = null;
    this.afterTurn = null;
    /** Hears of each answer that the worker's end waits for. */
    this.answered = null;
  }
}

/** What `worker.keepAwake()` returns: the worker is not idle before it is released. */
class KeepAwake {
  #record;

  constructor(record) {
    this.#record = record;
    record.awake += 1;
  }

  /** The worker may be idle again. A second call does nothing. */
  release() {
    if (this.#record === null) return;
    this.#record.awake -= 1;
    this.#record = null;
  }
}

// So that `using awake = worker.keepAwake()` works where the runtime, or a compiler's helper, has the symbol.
if (Symbol.dispose !== undefined) hide(KeepAwake.prototype, Symbol.dispose, KeepAwake.prototype.release);

/**
 * Base of all workers. Brokers construct them, the application never does. A plain function, so that both
 * `class MyWorker extends Worker` and `util.inherits(MyWorker, Worker)` with `Worker.apply(this, arguments)` work.
 *
 * @constructor
 * @param {string} id
 * @param {Broker} broker
 * @param {object} [attributes] what the creator gave; `static` is always there
 */
function Worker(id, broker, attributes) {
  hide(this, '__priv', { br: broker, id });
  hide(this, kRecord, new WorkerRecord(this, id, broker, attributes || {}));
}

Object.defineProperties(Worker.prototype, {
  /** @member {string} Worker#id */
  id: { ...accessor((record) => record.id), set: refuseToSet('id') },
  /** @member {number} Worker#state one of {@link Worker.State} */
  state: { ...accessor((record) => record.state), set: refuseToSet('state') },
  /** @member {object} Worker#attributes what the creator gave */
  attributes: { ...accessor((record) => record.attributes), set: refuseToSet('attributes') },
  /** @member {string} Worker#epoch digits that grow with every activation of this id anywhere: a fencing token */
  epoch: { ...accessor((record) => record.epoch), set: keepOwn('epoch'), enumerable: false },
  /** @member {Broker} Worker#broker the one that it runs on */
  broker: { ...accessor((record) => record.broker), set: keepOwn('broker'), enumerable: false },
  /** @member {*} Worker#data what outlives the process, where the class has `static data` */
  data: { ...accessor(({ cell }) => (hasData(cell) ? cell.value : undefined)), set: setData, enumerable: false },
  /** @member {Schedule} Worker#schedule its timers, which outlive the process */
  schedule: { ...accessor(scheduleOf), set: keepOwn('schedule'), enumerable: false },
  /** @member {number} Worker#load floored; negative values, and all after destruction, are ignored */
  load: { ...accessor((record) => record.load), set: setLoad },
});

function accessor(read) {
  return {
    get() {
      const record = this[kRecord];
      return record === undefined ? undefined : read(record);
    },
    enumerable: true,
    configurable: true,
  };
}

function setLoad(value) {
  const record = this[kRecord];
  const load = Math.floor(Number(value));
  if (record === undefined || record.state === State.DESTROYED || !(load >= 0) || !Number.isSafeInteger(load)) return;
  if (record.owner !== null) record.owner.changeLoad(record, load);
  else record.load = load;
}

function hasData(cell) {
  return cell !== null && cell.declaration.hasData;
}

function scheduleOf(record) {
  if (record.schedule === null) record.schedule = new Schedule(record, () => promiseClass(record.worker));
  return record.schedule;
}

const keepOwnData = keepOwn('data');

function setData(value) {
  const record = this[kRecord];
  if (record === undefined || !hasData(record.cell)) keepOwnData.call(this, value);
  else record.cell.set(value);
}

/**
 * Stores the data of the worker, where its class has `static data`. Resolves when the changes so far are stored.
 *
 * @param {function(Error=)} [callback]
 * @returns {Promise<void>}
 */
Worker.prototype.save = function (callback) {
  const { cell } = this[kRecord];
  return answer(promiseClass(this), callback, () => {
    if (!hasData(cell)) throw withoutData(this);
    const PromiseClass = promiseClass(this);
    return new PromiseClass((resolve, reject) => cell.save(resolve, reject));
  });
};

/** Says that the data changed, where that is `mutable`: it was changed in place, outside of a handler. */
Worker.prototype.touch = function () {
  const { cell } = this[kRecord];
  if (!hasData(cell)) throw withoutData(this);
  cell.compare();
};

function withoutData(worker) {
  return failure('DW_ERR_CONFIG', `Worker class ${worker.constructor.name} has no static data: there is nothing to store.`);
}

/**
 * Ends this worker: `onDestroy({cause: SELF})` runs, after `onCreate` where that still runs. A second call does nothing.
 *
 * @param {object} [option]
 * @param {boolean} [option.noRecover=true] with `false` a recoverable worker is created again somewhere in its cluster
 */
Worker.prototype.destroy = function (option) {
  if (option !== undefined && option !== null && typeof option !== 'object') {
    throw badArgument('an object', 'option of worker.destroy()', option);
  }
  const core = coreOf(this);
  if (core && option) core.reporter.checkNames('worker.destroy()', DESTROY, option, ELSEWHERE.destroy);
  const recover = Boolean(option) && option.noRecover !== undefined && !option.noRecover;
  const record = this[kRecord];
  if (record.owner !== null) record.owner.deactivation.end(record, DestroyCause.SELF, recover);
  else if (record.ending === null) record.ending = { cause: DestroyCause.SELF, recover };
};

/**
 * Keeps this worker in memory until the returned object is released, however long it is idle (`static idle`).
 *
 * @returns {KeepAwake}
 */
Worker.prototype.keepAwake = function () {
  return new KeepAwake(this[kRecord]);
};

/**
 * To override: called once, after construction. A rejection is logged and ignored.
 *
 * @param {{cause: number}} info see {@link Worker.CreateCause}
 * @param {function(Error=)} [callback]
 * @returns {Promise}
 */
Worker.prototype.onCreate = function (info, callback) {
  this.load = this[kRecord].initialLoad;
  return nodeify(promiseClass(this).resolve(), callback);
};

/**
 * To override: called for each ask; the value, promise or callback is the answer. The base calls the method of this name, where
 * `static methods` declares it.
 *
 * @param {string} method
 * @param {*} data
 * @param {function(Error, *)} [callback]
 * @returns {*}
 */
Worker.prototype.onAsk = function (method, data, callback) {
  const record = this[kRecord];
  const PromiseClass = promiseClass(this);
  if (!declaresMethods(record)) return nodeify(PromiseClass.reject(new Error('Not implemented')), callback);
  return nodeify(new PromiseClass((resolve) => resolve(callMethod(record, method, data))), callback);
};

/**
 * To override: called for each tell. The base calls the method of this name, where `static methods` declares it.
 *
 * @param {string} method
 * @param {*} data
 */
Worker.prototype.onTell = function (method, data) {
  const record = this[kRecord];
  return declaresMethods(record) ? callMethod(record, method, data) : undefined;
};

/**
 * To override: called for each timer that is due. The base calls `onTell(method, data)`.
 *
 * @param {string} method
 * @param {*} data
 * @param {{key: string, scheduledAt: number, attempt: number}} _fire `scheduledAt`: the time that it was due, in ms since 1970
 */
Worker.prototype.onTimer = function (method, data, _fire) {
  return this.onTell(method, data);
};

function declaresMethods(record) {
  return record !== undefined && record.methods !== null;
}

/**
 * To override: called once, before the worker goes. A rejection is ignored.
 *
 * @param {{cause: number}} info see {@link Worker.DestroyCause}
 * @param {function(Error=)} [callback]
 * @returns {Promise}
 */
Worker.prototype.onDestroy = function (info, callback) {
  return nodeify(promiseClass(this).resolve(), callback);
};

function coreOf(worker) {
  const record = worker[kRecord];
  return record && record.broker && record.broker[kCore];
}

function promiseClass(worker) {
  const core = coreOf(worker);
  return core ? core.PromiseClass : contextual(Bluebird);
}

/**
 * Runs a worker class's constructor.
 *
 * @returns {WorkerRecord} of the new instance
 * @throws what the constructor threw, or an Error where it never called `Worker`
 */
function construct(WorkerClass, className, id, broker, attributes, epoch, cell) {
  activation = { epoch, cell };
  let worker;
  try {
    worker = new WorkerClass(id, broker, attributes);
  } finally {
    activation = null;
  }
  const record = worker[kRecord];
  if (record === undefined) {
    throw new Error(`Expected the constructor of ${className} to call Worker.apply(this, arguments), but it did not`);
  }
  // A subclass may have passed on other arguments than it was given.
  record.id = id;
  record.broker = broker;
  record.className = className;
  if (cell !== null) refuseField(worker, className);
  absorbFields(worker, className, (load) => {
    worker.load = load;
    record.initialLoad = record.load;
  });
  return record;
}

/** A field `data` would hide the data. One without a value is a declaration of TypeScript. */
function refuseField(worker, className) {
  const field = Object.getOwnPropertyDescriptor(worker, 'data');
  if (field === undefined) return;
  if (field.value !== undefined || !Reflect.deleteProperty(worker, 'data')) throw hidesData(className, 'a field');
}

/**
 * The call that is being handled, for all that its handler runs, through `await` and the promises of this package;
 * `undefined` outside of handlers and after the answer.
 *
 * @returns {{deadline: number, signal: AbortSignal, callerBroker: string}|undefined} `deadline`: comparable with
 *   `Date.now()`, `Infinity` for a tell. `signal` aborts when the caller no longer waits for the answer, or this broker cannot
 *   prove that it lives. `callerBroker`: the id of the broker that it came from
 */
Worker.context = function () {
  const turn = current();
  return turn === undefined ? undefined : turn.context();
};

/** One message at a time (`'serial'`), or the next one while handlers await something. */
Worker.concurrency = 'parallel';
/** How many messages wait for a serial worker at most. */
Worker.maxQueue = LIMIT.WAITING_MESSAGES;
Worker.State = State;
Worker.CreateCause = CreateCause;
Worker.DestroyCause = DestroyCause;
Worker.DEFAULT_LOAD = DEFAULT_LOAD;

module.exports.Worker = Worker;
module.exports.construct = construct;
