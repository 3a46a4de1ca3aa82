/**
 * Sends operations and messages of JavaScript to the core, and keeps what their outcomes settle.
 *
 * A batch that JavaScript parses as one JSON text, and one flush per turn of the event loop, carry two to three times as many messages as
 * one N-API call and one closure a message do. Therefore nothing is allocated per message that the promise itself does not need, all calls
 * keep one shape, and integers ("slots") name what is outstanding.
 *
 * The values of a message are passed in one order everywhere: what settles it (slot, inbound), the worker (id, handle or record), method,
 * data, form, timeout, and then the rest.
 */
'use strict';

const { AbortableCall, CallOfHandler } = require('./abortable');
const { DirectOutcome } = require('./direct-outcome');
const { Outstanding } = require('./outstanding');
const { Receiver } = require('./receiver');
const { current } = require('../../base/context');
const { contain, contextual } = require('../../base/promises');
const { closedGate, gates } = require('../data/gates');
const { sendLater } = require('./held');
const { keep } = require('../../payload/payload');
const { formOf } = require('../recipes');

/** `then` of a settled promise is the cheapest way to run a function at the end of the turn. */
const END_OF_TURN = Promise.resolve();

class Channel {
  /**
   * @param {function(function(): void): object} open makes the native side, given its `wake`
   * @param {Function} PromiseClass of what {@link call} and {@link ask} return
   * @param {function(number, Array, number): void} receive takes an event that settles no slot, with its kind and its
   *   position in the current batch
   */
  constructor(open, PromiseClass, receive) {
    this.PromiseClass = PromiseClass;
    this.calls = new Outstanding(PromiseClass);
    /** Sends to this broker's own workers without the core; `null` for a router. */
    this.direct = null;
    /** Something was written that is not flushed yet. */
    this.dirty = false;
    this.receiver = new Receiver(this, receive);
    this.pace = this.receiver.pace;
    /** What every tell on a known route returns: one promise, because nothing tells them apart. */
    this.done = PromiseClass.resolve();
    this.flushTurn = this.flush.bind(this);
    /** Cells of workers whose data is written at the end of this turn. */
    this.unsaved = [];
    this.saveTurn = this.save.bind(this);
    this.native = open((text) => this.receiver.wake(text));
  }

  /** Starts an operation and promises its outcome. */
  call(start) {
    const slot = this.calls.freeSlot();
    start(this.native, slot);
    this.touch();
    return this.calls.promise(slot, current());
  }

  /** Starts an operation whose outcome goes to `settled.resolve(value)` or `.reject(error)` at once, between two events. */
  run(settled, start) {
    const slot = this.calls.freeSlot();
    this.calls.set(slot, settled);
    start(this.native, slot);
    this.touch();
  }

  /** `data`, `form`: what `encode` of lib/payload/payload.js returned. An ask of a worker waits while its data is not stored. */
  ask(workerId, method, data, form, timeout, signal) {
    const cell = gates.count > 0 ? closedGate() : undefined;
    if (cell === undefined) return this.askNow(workerId, method, data, form, timeout, signal);
    const kept = keep(data, formOf(form));
    return sendLater(this, cell, (left) => this.askNow(workerId, method, kept, form, left, signal), { timeout, signal, workerId });
  }

  askNow(workerId, method, data, form, timeout, signal) {
    const turn = current();
    const record = this.ownWorker(workerId);
    if (record !== undefined) {
      if (record.direct > 0 && signal === undefined && this.direct.suits(turn, data)) {
        return this.askDirect(record, method, data, form, timeout, turn);
      }
      this.direct.close(record);
    }
    const slot = this.calls.freeSlot();
    if (turn !== undefined) timeout = turn.limit(timeout);
    if (turn === undefined || turn.inbound <= 0) this.native.ask(slot, workerId, method, data, form, timeout);
    else this.askFor(slot, workerId, method, data, form, timeout, turn);
    this.touch();
    const promise = this.calls.promise(slot, turn);
    if (signal !== undefined) this.calls.set(slot, new AbortableCall(this, slot, workerId, signal, this.calls.get(slot)));
    if (turn instanceof DirectOutcome) turn.adopt(new CallOfHandler(this, slot));
    if (record !== undefined && signal === undefined && this.direct.suits(turn, data)) this.direct.open(record);
    return promise;
  }

  /** The worker, if it is active at this broker and handles several messages at a time. */
  ownWorker(workerId) {
    return this.direct === null ? undefined : this.direct.workers.active.get(workerId);
  }

  askDirect(record, method, data, form, timeout, turn) {
    const limit = turn === undefined ? timeout : turn.limit(timeout);
    const promise = this.calls.newPromise(turn);
    const call = this.direct.ask(record, method, data, form, limit, this.calls.newCall());
    if (turn instanceof DirectOutcome) turn.adopt(call);
    this.touch();
    return promise;
  }

  /** A handler asks, through its own broker or another one of this process. The call ends with the one that the handler handles. */
  askFor(slot, workerId, method, data, form, timeout, turn) {
    const { channel } = turn.workers.core;
    if (channel === null) this.native.ask(slot, workerId, method, data, form, timeout);
    else this.native.askFor(slot, workerId, method, data, form, timeout, turn.inbound, channel.native);
  }

  /** A tell of a worker waits while its data is not stored. */
  tell(workerId, method, data, form) {
    const cell = gates.count > 0 ? closedGate() : undefined;
    if (cell === undefined) return this.tellNow(workerId, method, data, form);
    const kept = keep(data, formOf(form));
    return contain(sendLater(this, cell, () => this.tellNow(workerId, method, kept, form)));
  }

  /** On a known route the tell is handed over at once, and there is nothing to settle. */
  tellNow(workerId, method, data, form) {
    const record = this.ownWorker(workerId);
    if (record !== undefined) return this.tellOwn(record, method, data, form);
    const slot = this.calls.freeSlot();
    const atOnce = this.native.tell(slot, workerId, method, data, form);
    this.touch();
    return atOnce ? this.handedOver() : this.parked(slot);
  }

  tellOwn(record, method, data, form) {
    if (record.direct > 0 && this.direct.suits(undefined, data)) {
      this.direct.tell(record, method, data, form);
      this.touch();
      return this.handedOver();
    }
    this.direct.close(record);
    const slot = this.calls.freeSlot();
    const atOnce = this.native.tell(slot, record.id, method, data, form);
    this.touch();
    if (!atOnce) return this.parked(slot);
    if (this.direct.suits(undefined, data)) this.direct.open(record);
    return this.handedOver();
  }

  /** The promise of a tell whose worker is looked for. */
  parked(slot) {
    return contain(this.calls.promise(slot, current()));
  }

  /** The promise of a message that was handed over at once. */
  handedOver() {
    const PromiseClass = contextual(this.PromiseClass);
    return PromiseClass === this.PromiseClass ? this.done : PromiseClass.resolve();
  }

  /** Something was written: one flush at the end of this turn sends it, whatever the number of messages. */
  touch() {
    if (this.dirty) return;
    this.dirty = true;
    if (!this.receiver.draining) END_OF_TURN.then(this.flushTurn);
  }

  /** The data of a worker is written at the end of this turn, with all that changes until then. */
  saveAtEnd(cell) {
    this.unsaved.push(cell);
    if (this.unsaved.length === 1 && !this.receiver.draining) END_OF_TURN.then(this.saveTurn);
  }

  save() {
    const { unsaved } = this;
    this.unsaved = [];
    for (const cell of unsaved) cell.write();
  }

  flush() {
    this.dirty = false;
    if (this.receiver.closed) return;
    // Messages for this process wait in the core. They take a turn of the event loop all the same, so that two workers that ask each other
    // without end leave the loop its time.
    const more = this.native.flush();
    if (more || (this.direct !== null && this.direct.hasWork)) this.receiver.drainSoon();
  }

  /** Nothing more is received. Ends everything that is outstanding with `error()`. */
  close(error) {
    this.receiver.close();
    this.calls.failAll(error);
    if (this.direct !== null) this.direct.failAll(error);
  }
}

module.exports.Channel = Channel;
