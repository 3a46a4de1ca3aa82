/**
 * The workers that live at one broker: from their construction to their end, and the messages that they handle.
 */
'use strict';

const { concurrencyOf } = require('./concurrency');
const { CallContext, handle: runHandler, outside } = require('../base/context');
const { publishFinding, publishWorker } = require('../base/diagnostics');
const { failure } = require('../base/errors');
const { describe, stackOf } = require('./failures');
const { runOnAsk, runOnTell } = require('./handlers');
const { methodsOf } = require('./methods');
const { AskOutcome, StepOutcome, TellOutcome } = require('./outcome');
const { encode } = require('../payload/payload');
const { isStructured } = require('../payload/codec');
const { Slow } = require('./slow');
const { applicationClock, clearTimeout, monotonicClock, setImmediate, setTimeout } = require('../base/timers');
const { Worker, construct } = require('../worker');

const { State, CreateCause, DestroyCause, DEFAULT_LOAD } = Worker;

/** A step that declares this many parameters has the callback among them. */
const STEP_WITH_CALLBACK = 2;

/** Of `destroyTimeout`, how much a serial worker's running handler gets before `onDestroy` runs beside it. */
const SHARE_OF_TURN = 0.9;
/** How long the event loop goes on after the `onCreate` of a suspect before the next one is tried, ms. */
const TRIAL = 50;

/** How long `onDestroy` waits until the registry knows that its worker ends for good, ms. */
const REGISTRY_PATIENCE = 500;
/** Length of what creators are told of a failed `onCreate`. */
const MAX_FAILURE = 500;

/** What became of a creation, for the native side. */
const MADE = 0;
const CONSTRUCTOR_THREW = 1;
const CLASS_UNKNOWN = 2;

class Workers {
  /**
   * @param {Core} core
   */
  constructor(core) {
    this.core = core;
    this.records = new Map();
    /** By id: those that handle messages side by side, as long as they take any. */
    this.active = new Map();
    /** The way past the core, of the channel that is open. */
    this.direct = null;
    /** Workers that ended themselves for good, while their handlers may still answer. */
    this.parting = new Set();
    this.leaving = false;
    this.load = 0;
    /** What `Worker.context()` gave, by the number of the message (or its turn), until the handler has settled. */
    this.contexts = new Map();
    this.slow = new Slow((kind, text, record, method) => core.logOften(kind, 'warn', text, { ...fieldsOf(record), method }));
    /** How often this broker was suspended. */
    this.suspensions = 0;
    /** When the core last said that this broker can prove that it lives; ms, any jump of this clock only asks anew. */
    this.provenAt = 0;
  }

  get native() {
    return this.core.channel.native;
  }

  /**
   * Whether the handler that the event at `index` of the current batch asks for may start. If not, the event comes
   * again when the lease has been renewed.
   *
   * Asked last of all before the handler: who is stopped between the two starts it when it goes on, whatever has
   * happened since. The core is asked when the clock has moved on since it last said yes: a process that was stopped
   * finds another millisecond. One N-API call for each handler would take 40 % of the rate of tells (0.42 µs, Node 20, 2 cores).
   */
  mayStart(index) {
    const now = this.core.channel.pace.look();
    if (now === this.provenAt) return true;
    const proven = this.native.mayStart(index);
    this.provenAt = proven ? now : 0;
    return proven;
  }

  // --- messages ---

  /** `index`: its place in the current batch. */
  ask(inbound, handle, method, data, index) {
    const record = this.records.get(handle);
    if (record === undefined || record.state !== State.ACTIVE) {
      this.refuse(index);
      return;
    }
    if (!this.core.channel.wants(index)) return;
    runHandler(new AskOutcome(this, inbound, record, method), this.runAsk, this, data, index);
  }

  runAsk(outcome, data, index) {
    if (!this.mayStart(index)) return;
    outcome.record.handled = true;
    if (outcome.record.maxQueue > 0) this.beginTurn(outcome);
    try {
      runOnAsk(outcome, data);
    } catch (error) {
      outcome.settle(true, error);
    }
  }

  answer(inbound, value, record, method) {
    if (this.core.channel === null) return;
    let payload;
    try {
      payload = this.encode(value, record);
    } catch (error) {
      this.answerFailure(inbound, this.unsendable(record, method, error));
      return;
    }
    this.native.reply(inbound, payload.data, payload.form);
    this.core.channel.touch();
  }

  /** The answer of a worker, by the codec of its class. */
  encode(value, record) {
    return encode(value, record.structured, this.core.config.maxMessageBytes);
  }

  /** What the caller is told where the codec cannot express the answer. */
  unsendable(record, method, error) {
    const what = record.structured ? 'cloned' : 'turned into JSON';
    const text = `The answer of worker ${record.id} to '${method}' cannot be ${what}: ${firstLine(error)}`;
    return Object.assign(new Error(text), { cause: error });
  }

  /** What the caller is told of a failure. */
  describe(reason) {
    const body = describe(reason);
    const stack = this.core.remoteStack ? stackOf(reason, this.core.config.maxMessageBytes) : undefined;
    if (stack !== undefined) body.stack = stack;
    return body;
  }

  answerFailure(inbound, reason) {
    if (this.core.channel === null) return;
    const body = this.describe(reason);
    this.native.fail(inbound, body.message, JSON.stringify(body));
    this.core.channel.touch();
  }

  /** The message came in one batch with what ended its worker: no handler starts any more. It goes back, or waits. */
  refuse(index) {
    this.native.refuse(index);
    this.core.channel.touch();
  }

  tell(origin, handle, method, data, index) {
    const record = this.records.get(handle);
    if (record === undefined || record.state !== State.ACTIVE) {
      this.refuse(index);
      return;
    }
    runHandler(new TellOutcome(this, origin, record, method), this.runTell, this, data, index);
  }

  runTell(outcome, data, index) {
    if (!this.mayStart(index)) return;
    outcome.record.handled = true;
    if (outcome.record.maxQueue > 0) this.beginTurn(outcome);
    try {
      runOnTell(outcome, data);
    } catch (error) {
      outcome.settle(true, error);
    }
  }

  /** A worker that takes one message at a time is at this one. */
  beginTurn(turn) {
    turn.record.turn = turn;
    this.slow.begin(turn, turn.record, turn.method);
  }

  /** Its handler has settled: what waited for that comes next. */
  endTurn(turn) {
    const { record } = turn;
    this.slow.end(turn);
    if (record.turn !== turn) return;
    record.turn = null;
    if (record.afterTurn === null) return;
    const { afterTurn } = record;
    record.afterTurn = null;
    afterTurn();
  }

  /** A tell of a worker that takes one message at a time. */
  done(inbound) {
    if (this.core.channel === null) return;
    this.native.done(inbound);
    this.core.channel.touch();
  }

  /** All that went to a worker through the core has arrived: its broker's own messages need not any more. */
  opened(handle, index) {
    const record = this.records.get(handle);
    if (record !== undefined && this.mayStart(index)) this.direct.opened(record);
  }

  // --- their contexts ---

  contextOf(turn) {
    const { left, cancelled, caller } = turn.whatIsKnown();
    const context = new CallContext(applicationClock() + Math.ceil(left), caller === null ? undefined : caller);
    this.contexts.set(keyOf(turn), context);
    if (cancelled) CallContext.abort(context, nobodyWaits());
    else if (turn.suspensions !== this.suspensions) CallContext.abort(context, this.cannotProve());
    return context;
  }

  unwatch(turn) {
    this.contexts.delete(keyOf(turn));
  }

  /** Nobody waits any more for the answer to this ask. `key`: see {@link keyOf}. */
  cancelled(key) {
    const context = this.contexts.get(key);
    if (context !== undefined) CallContext.abort(context, nobodyWaits());
  }

  /** This broker cannot prove that it lives. */
  suspended() {
    this.suspensions += 1;
    if (this.direct !== null) this.direct.suspended();
    for (const context of this.contexts.values()) CallContext.abort(context, this.cannotProve());
  }

  cannotProve() {
    return failure('DW_ERR_SUSPENDED', `Broker ${this.core.id} cannot prove that it lives`);
  }

  // --- life ---

  /** The core places a worker here, or makes one again. */
  create([, handle, id, className, , cause, epoch, attempt, attributes], index) {
    if (!this.mayStart(index)) return;
    if (!this.native.wants(index, 0)) {
      this.core.channel.touch();
      return;
    }
    const { core } = this;
    let WorkerClass;
    let maxQueue;
    let methods;
    let record;
    try {
      WorkerClass = core.lookUp(className);
      maxQueue = concurrencyOf(WorkerClass);
      methods = methodsOf(WorkerClass, Worker);
      record = outside(() => construct(WorkerClass, className, id, core.broker, attributes, epoch));
    } catch (error) {
      this.notMade({ handle, id, className, cause }, WorkerClass === undefined ? CLASS_UNKNOWN : CONSTRUCTOR_THREW, error);
      return;
    }
    this.records.set(handle, record);
    record.handle = handle;
    record.owner = this;
    record.maxQueue = maxQueue;
    record.methods = methods;
    record.cause = cause;
    record.structured = isStructured(WorkerClass, core);
    record.state = State.ACTIVATING;
    const { load } = record;
    record.load = 0;
    this.changeLoad(record, load);
    const info = Object.defineProperties({ cause }, { epoch: { value: epoch }, attempt: { value: attempt } });
    this.step(record, 'onCreate', info, this.activated);
  }

  notMade({ handle, id, className, cause }, outcome, error) {
    const { core } = this;
    const text = firstLine(error);
    this.native.created(handle, outcome, text, 0);
    core.channel.touch();
    const message = `Worker ${id} of class ${className} cannot be made: ${text}`;
    core.logOften('not made', 'error', message, { worker: id, class: className, method: 'constructor', err: error });
    publishFinding('failed', core.id, { worker: id, class: className, error });
    core.emit('workerError', { id, method: 'constructor', error });
    // The creator of a new worker gets the error.
    if (cause !== CreateCause.NEW) core.unheard('constructor', message, error);
  }

  activated(record) {
    if (record.state !== State.ACTIVATING) return;
    this.slow.end(record);
    clearTimeout(record.overdue);
    if (record.load === 0) this.changeLoad(record, DEFAULT_LOAD);
    record.state = State.ACTIVE;
    this.native.created(record.handle, MADE, record.createFailure, record.maxQueue);
    this.core.channel.touch();
    if (record.maxQueue === 0) this.active.set(record.id, record);
    this.tellLife(record, 'activated', record.cause);
    if (record.ending !== null) this.begin(record);
  }

  /** A worker that may have ended its process before: told when what its `onCreate` began had its time. */
  tryOut(handle) {
    const { channel } = this.core;
    setTimeout(() => {
      if (this.core.channel === channel) channel.native.tried(handle);
    }, TRIAL);
  }

  /** The worker shall go; after `onCreate`, where that still runs. The first call counts. */
  end(record, cause, recover) {
    if (record.ending !== null || record.state === State.DESTROYED) return;
    record.ending = { cause, recover };
    if (record.state === State.ACTIVE) this.begin(record);
    else this.awaitActivation(record);
  }

  /** Its `onCreate` still runs, and may never end. */
  awaitActivation(record) {
    const { destroyTimeout } = this.core.config;
    record.overdue = outside(setTimeout, () => {
      if (record.state !== State.ACTIVATING) return;
      this.core.logOften('overdue', 'warn', `onCreate of worker ${record.id} did not end within ${destroyTimeout} ms: the worker is destroyed without it`, fieldsOf(record));
      this.begin(record);
    }, destroyTimeout);
  }

  /** The core wants the worker of `handle` to go. */
  endByCore(handle, cause) {
    const record = this.records.get(handle);
    if (record === undefined) return;
    if (cause === DestroyCause.FENCED) this.direct.cut(record);
    this.end(record, cause, true);
  }

  begin(record) {
    record.state = State.DESTROYING;
    if (this.active.get(record.id) === record) this.active.delete(record.id);
    this.native.destroying(record.handle, record.ending.recover);
    this.direct.close(record);
    this.core.channel.touch();
    if (record.ending.cause !== DestroyCause.SELF) {
      this.destroy(record);
      return;
    }
    this.changeLoad(record, 0);
    // Not inside of worker.destroy(): what the handler that called it does next comes before onDestroy.
    const next = () => outside(setImmediate, () => this.destroy(record));
    if (record.ending.recover) next();
    else this.endForGood(record, next);
  }

  /**
   * A recoverable worker ends for good: the registry learns that before `onDestroy` begins. So it does not come back, whatever
   * becomes of this process from there on. A registry that does not answer is not waited for.
   */
  endForGood(record, next) {
    const { channel, config } = this.core;
    const slot = channel.calls.freeSlot();
    if (!channel.native.finish(record.handle, slot)) {
      next();
      return;
    }
    let waits = true;
    const goOn = () => {
      if (!waits) return;
      waits = false;
      clearTimeout(record.overdue);
      next();
    };
    channel.calls.set(slot, { resolve: goOn, reject: goOn });
    record.overdue = outside(setTimeout, goOn, Math.min(REGISTRY_PATIENCE, config.destroyTimeout));
  }

  /** `onDestroy` takes its turn behind the handler of a serial worker, as long as that gets its share of the time. */
  destroy(record) {
    if (record.state !== State.DESTROYING) return;
    const { destroyTimeout } = this.core.config;
    if (record.turn === null) {
      this.runOnDestroy(record, destroyTimeout);
      return;
    }
    const share = Math.floor(destroyTimeout * SHARE_OF_TURN);
    record.overdue = outside(setTimeout, () => {
      record.afterTurn = null;
      const { method } = record.turn;
      this.core.logOften('overdue', 'warn', `Worker ${record.id} is still in '${method}' after ${share} ms: its onDestroy runs beside it`, { ...fieldsOf(record), method });
      this.runOnDestroy(record, destroyTimeout - share);
    }, share);
    const began = monotonicClock();
    record.afterTurn = () => {
      clearTimeout(record.overdue);
      this.runOnDestroy(record, Math.max(destroyTimeout - (monotonicClock() - began), destroyTimeout - share));
    };
  }

  runOnDestroy(record, left) {
    if (record.state !== State.DESTROYING) return;
    const { id: broker, config } = this.core;
    // Where the broker cannot prove that it lives, the worker may have been made again elsewhere: it must know.
    const cause = this.native.holds() ? record.ending.cause : DestroyCause.FENCED;
    record.overdue = outside(setTimeout, () => {
      this.core.logOften('overdue', 'warn', `Worker ${record.id} did not end within ${config.destroyTimeout} ms: broker ${broker} gives it up`, fieldsOf(record));
      this.destroyed(record);
    }, left);
    this.step(record, 'onDestroy', { cause }, this.destroyed);
  }

  destroyed(record) {
    if (record.state !== State.DESTROYING) return;
    clearTimeout(record.overdue);
    this.slow.end(record);
    if (record.turn !== null) this.slow.end(record.turn);
    this.changeLoad(record, 0);
    record.state = State.DESTROYED;
    this.tellLife(record, 'ended', record.ending.cause);
    this.records.delete(record.handle);
    if (endedForGood(record) && !this.leaving && this.direct.handles(record)) this.awaitAnswers(record);
    else this.release(record, endedForGood(record));
  }

  /** Its handlers may answer before its id is free. */
  awaitAnswers(record) {
    this.parting.add(record);
    record.overdue = outside(setTimeout, () => this.release(record, false), this.core.config.destroyTimeout);
    record.answered = () => {
      if (!this.direct.handles(record)) this.release(record, true);
    };
  }

  /** Nothing that it handles is answered from here on; `patient`: but what came through the core has its time. */
  release(record, patient) {
    clearTimeout(record.overdue);
    this.parting.delete(record);
    record.answered = null;
    if (this.core.channel === null) return;
    this.direct.cut(record);
    const { cause, recover } = record.ending;
    // One that handled messages was of use: it may come back at once, however often it moves.
    const byItself = recover ? cause === DestroyCause.SELF && !record.handled : patient;
    this.native.destroyed(record.handle, recover, byItself, this.core.channel.unseen());
    this.core.channel.touch();
  }

  /** The broker leaves: it waits for no handler. */
  leave() {
    this.leaving = true;
    for (const record of [...this.parting]) this.release(record, false);
  }

  /** Runs `onCreate` or `onDestroy`, then `next`, whatever came of it. */
  step(record, name, info, next) {
    this.slow.begin(record, record, name);
    runHandler(new StepOutcome(this, record, name, next), runStep, undefined, info);
  }

  /** `onCreate` or `onDestroy` failed: that changes nothing but is reported. */
  stepFailed(record, step, error) {
    if (step === 'onCreate') record.createFailure = firstLine(error).slice(0, MAX_FAILURE) || 'an error without a message';
    this.report(record, step, step, error, 'warn');
  }

  changeLoad(record, load) {
    if (load === record.load) return;
    this.load += load - record.load;
    record.load = load;
    this.native.setLoad(record.handle, load);
    this.core.channel.touch();
  }

  /** A worker of this broker `'activated'` or `'ended'`, with the cause of that. */
  tellLife(record, event, cause) {
    publishWorker(event, record, cause);
    if (this.core.logger !== null) this.core.report('debug', `Worker ${record.id} ${event}`, { event, ...fieldsOf(record), cause });
  }

  /** Contains what a handler threw: only events, or a warning where nobody listens, say so. `kind`: `'onTell'`. */
  report(record, kind, method, error, level) {
    const { core } = this;
    const message = `Worker ${record.id} failed in '${method}': ${describe(error).message}`;
    core.logOften(`failed ${kind}`, level, message, { ...fieldsOf(record), method, err: error });
    core.emit('workerError', { id: record.id, method, error });
    core.unheard(kind, message, error);
  }

  /** The broker is gone: what still runs here belongs to nobody. */
  abandon() {
    this.slow.stop();
    for (const record of this.records.values()) {
      clearTimeout(record.overdue);
      record.state = State.DESTROYED;
      record.load = 0;
    }
    for (const record of this.parting) clearTimeout(record.overdue);
    this.parting.clear();
    this.leaving = false;
    this.records.clear();
    this.active.clear();
    this.load = 0;
  }
}

function runStep(outcome, info) {
  const { record, step } = outcome;
  const { worker } = record;
  try {
    const result = worker[step](info, outcome.callback());
    outcome.returned(result, worker[step].length >= STEP_WITH_CALLBACK);
  } catch (error) {
    outcome.settle(true, error);
  }
}

function endedForGood({ ending }) {
  return ending.cause === DestroyCause.SELF && !ending.recover;
}

/** Of a line of the log. */
function fieldsOf({ id, className, epoch }) {
  return { worker: id, class: className, epoch };
}

function firstLine(error) {
  return describe(error).message.split('\n', 1)[0];
}

/** Its number in the core; a tell that has none stands for itself. */
function keyOf(turn) {
  return turn.inbound > 0 ? turn.inbound : turn;
}

function nobodyWaits() {
  return failure('DW_ERR_ABORTED', 'Nobody waits any more for the call that is being handled');
}

module.exports.Workers = Workers;
