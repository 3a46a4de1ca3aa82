/**
 * The hot path between JavaScript and the core: operations out, one batch of events in.
 *
 * Measured on 2 cores (Node 20): a batch that JavaScript parses as one JSON text, and one flush per turn, carry two to
 * three times what one N-API call and one closure a message do. So here nothing is allocated per message that the
 * promise itself does not need, all calls keep one shape, and plain integers name what is outstanding.
 */
'use strict';

const { AbortableCall, CallOfHandler } = require('./abortable');
const { callBack, current, gather, outside, scatter } = require('../base/context');
const { failure } = require('../base/errors');
const { rebuild } = require('./failures');
const { DirectOutcome } = require('./outcome');
const { Outstanding } = require('./outstanding');
const { Pace } = require('../base/pace');
const { take } = require('../payload/payload');
const { contain, contextual, throwLater } = require('../base/promises');
const { setImmediate } = require('../base/timers');

/** Kinds of events. */
const REPLY = 0;
const FAIL = 1;
const ASK = 2;
const TELL = 3;
/** By kind, whether an event makes a handler start: those are the last ones of a batch. */
const STARTS = [false, false, true, true, true, false, false, false, false, true, false, false, false];
/** Added to a kind whose data stands apart: its place in the core times FORMS, plus its form, is there instead. */
const APART = 16;
const FORMS = 8;
/** Where the data stands in an event of each kind that can have it apart. */
const DATA_AT = [2, 5, 4, 4, 8, 2, 2, 2, 1, 0, 2, 1];

/**
 * Events handled in one turn of the event loop; the rest waits for the next one, so that the application's own timers
 * and sockets live under load. 256 handlers of the usual few µs are about one millisecond.
 */
const EVENTS_PER_TURN = 256;
/** Handlers of which a turn starts fewer are slow: what waits is not to be kept from the answers that come meanwhile. */
const FEW = 64;
/** A batch that is worked on for longer than this may hold asks that nobody waits for any more. */
const STALE_MS = 5;

/** `then` of a settled promise is the cheapest way to run a function at the end of the turn. */
const END_OF_TURN = Promise.resolve();

function drainHere(channel, text) {
  channel.drainHere(text);
}

class Channel {
  /**
   * @param {function(function(): void): object} open makes the native side, given its `wake`
   * @param {Function} PromiseClass of what {@link call} and {@link ask} return
   * @param {function(number, Array, number): void} receive takes an event that settles no slot, with its kind and its
   *   place in the current batch
   */
  constructor(open, PromiseClass, receive) {
    this.PromiseClass = PromiseClass;
    this.receive = receive;
    this.calls = new Outstanding(PromiseClass);
    /** The way to this broker's own workers, where there is one. */
    this.direct = null;
    this.batch = null;
    /** How many events of a batch may make handlers start: as many as a turn has time for. */
    this.starts = EVENTS_PER_TURN;
    this.pace = new Pace();
    /** When the batch was taken, ms: what is in it was wanted then. */
    this.taken = 0;
    this.position = 0;
    this.draining = false;
    /** An event of the batch. */
    this.handling = false;
    this.backlog = false;
    this.dirty = false;
    this.closed = false;
    /** What a tell on a known route returns: one promise for all, since nothing tells them apart. */
    this.done = PromiseClass.resolve();
    this.flushTurn = this.flush.bind(this);
    this.drainBacklog = () => {
      this.backlog = false;
      this.drain();
    };
    /** The core woke us while we were to look anyway: it does not wake again before we have looked. */
    this.woken = false;
    this.native = open((text) => this.wake(text));
  }

  /** Starts an operation and promises its outcome. */
  call(start) {
    const slot = this.calls.freeSlot();
    start(this.native, slot);
    this.touch();
    return this.calls.promise(slot, current());
  }

  /** Starts an operation that `settled.resolve(value)` or `.reject(error)` hears of at once, between two events. */
  run(settled, start) {
    const slot = this.calls.freeSlot();
    this.calls.set(slot, settled);
    start(this.native, slot);
    this.touch();
  }

  /** `data`, `form`: what `encode` of lib/payload/payload.js returned. */
  ask(workerId, method, data, form, timeout, signal) {
    const turn = current();
    const record = this.ownWorker(workerId);
    if (record !== undefined) {
      if (record.direct > 0 && signal === undefined && this.direct.suits(turn, data)) {
        return this.askDirect(turn, record, method, data, form, timeout);
      }
      this.direct.close(record);
    }
    const slot = this.calls.freeSlot();
    if (turn !== undefined) timeout = turn.limit(timeout);
    if (turn === undefined || turn.inbound <= 0) this.native.ask(slot, workerId, method, data, timeout, form);
    else this.askFor(turn, slot, workerId, method, data, form, timeout);
    this.touch();
    const promise = this.calls.promise(slot, turn);
    if (signal !== undefined) this.calls.set(slot, new AbortableCall(this, slot, workerId, signal, this.calls.get(slot)));
    if (turn instanceof DirectOutcome) turn.adopt(new CallOfHandler(this, slot));
    if (record !== undefined && signal === undefined && this.direct.suits(turn, data)) this.direct.open(record);
    return promise;
  }

  /** The worker, where it is one of this broker's that takes its messages past the core. */
  ownWorker(workerId) {
    return this.direct === null ? undefined : this.direct.workers.active.get(workerId);
  }

  askDirect(turn, record, method, data, form, timeout) {
    const limit = turn === undefined ? timeout : turn.limit(timeout);
    const promise = this.calls.newPromise(turn);
    const call = this.direct.ask(record, method, data, form, limit, this.calls.newCall());
    if (turn instanceof DirectOutcome) turn.adopt(call);
    this.touch();
    return promise;
  }

  /** A handler asks, through its own broker or another one of this process: within what is left of the call that it handles. */
  askFor(turn, slot, workerId, method, data, form, timeout) {
    const { channel } = turn.workers.core;
    if (channel === null) this.native.ask(slot, workerId, method, data, timeout, form);
    else this.native.askFor(slot, workerId, method, data, timeout, form, turn.inbound, channel.native);
  }

  /** Mostly the tell is handed over at once: then there is nothing to settle. */
  tell(workerId, method, data, form) {
    const record = this.ownWorker(workerId);
    if (record !== undefined) {
      if (record.direct > 0 && this.direct.suits(undefined, data)) {
        this.direct.tell(record, method, data, form);
        this.touch();
        return this.told();
      }
      this.direct.close(record);
    }
    const slot = this.calls.freeSlot();
    const handedOver = this.native.tell(slot, workerId, method, data, form);
    this.touch();
    if (!handedOver) return contain(this.calls.promise(slot, current()));
    if (record !== undefined && this.direct.suits(undefined, data)) this.direct.open(record);
    return this.told();
  }

  told() {
    const PromiseClass = contextual(this.PromiseClass);
    return PromiseClass === this.PromiseClass ? this.done : PromiseClass.resolve();
  }

  /** Something was written: one flush at the end of this turn sends it, whatever the number of messages. */
  touch() {
    if (this.dirty) return;
    this.dirty = true;
    if (!this.draining) END_OF_TURN.then(this.flushTurn);
  }

  flush() {
    this.dirty = false;
    if (this.closed) return;
    // What is for this very process waits in the core. It goes through the event loop all the same, so that two workers
    // that talk to each other without end leave the loop its time.
    const more = this.native.flush();
    if (more || (this.direct !== null && this.direct.hasWork)) this.drainSoon();
  }

  drainSoon() {
    if (this.backlog) return;
    this.backlog = true;
    outside(setImmediate, this.drainBacklog);
  }

  /**
   * The core has something for us. `text`: the next batch; what we leave to send is written when we return.
   *
   * → how many events that make handlers start the next wake may bring; 0: we come for them ourselves
   */
  wake(text) {
    this.woken = text === undefined;
    if (text !== undefined || !this.backlog) this.drain(text);
    return this.batch === null && !this.backlog && !this.draining ? this.starts : 0;
  }

  drain(text) {
    if (this.draining) return;
    this.draining = true;
    // What listeners of the application store stays with this turn.
    outside(drainHere, this, text);
  }

  drainHere(text) {
    gather();
    try {
      this.work(text);
    } finally {
      callBack();
      this.draining = false;
      if (this.dirty && text === undefined) this.flush();
      else if (this.dirty) this.written();
    }
  }

  /** What one turn of the event loop handles. */
  work(text) {
    const { pace } = this;
    pace.begin();
    if (this.direct !== null) {
      this.direct.run(EVENTS_PER_TURN);
      if (this.direct.hasWork) this.drainSoon();
    }
    if (text !== undefined) this.unpack(text);
    let left = EVENTS_PER_TURN;
    let started = 0;
    while (!this.closed && (this.batch !== null || this.next())) {
      const { batch } = this;
      while (left > 0 && this.position < batch.length && !this.closed) {
        const event = batch[this.position];
        const starts = STARTS[event[0] % APART];
        if (pace.isOver() && starts && left < EVENTS_PER_TURN) {
          left = 0;
          this.breakOff(started);
          break;
        }
        if (starts) started += 1;
        left -= 1;
        this.handling = true;
        this.handle(event, this.position);
        this.handling = false;
        this.position += 1;
      }
      if (left === 0) {
        if (this.position >= batch.length) this.batch = null;
        pace.leftOver = true;
        this.drainSoon();
        return;
      }
      this.batch = null;
      // The core had no more, and wakes us for what it got since. For what we sent to ourselves it looks itself, or never.
      if (batch.length < this.starts && !this.woken && (text !== undefined || !this.dirty)) return;
      this.starts = Math.min(2 * this.starts, EVENTS_PER_TURN);
    }
  }

  /** The turn is over in the midst of a batch. Answers to this broker's own calls must not wait behind slow handlers. */
  breakOff(started) {
    if (started >= FEW) return;
    this.native.hold(this.position);
    this.batch = null;
    this.starts = Math.max(started, 1);
  }

  /** Takes the next batch from the core; false where there is none: then the core has written what was to be sent. */
  next() {
    this.woken = false;
    const text = this.native.drain(this.starts);
    if (text === null) {
      this.written();
      return false;
    }
    this.unpack(text);
    return true;
  }

  unpack(text) {
    this.batch = JSON.parse(text);
    this.taken = this.pace.now;
    this.position = 0;
  }

  /** The core has written what was to be sent, or does so next. */
  written() {
    this.dirty = false;
    if (this.direct !== null && this.direct.hasWork) this.drainSoon();
  }

  /** One event. An error of a listener of the application leaves the others alone. */
  handle(event, index) {
    try {
      let kind = event[0];
      if (kind >= APART) {
        kind -= APART;
        if (!this.unfold(kind, event)) return;
      }
      if (kind === REPLY) this.calls.take(event[1]).resolve(event[2]);
      else if (kind === FAIL) this.fail(event);
      else this.receive(kind, event, index);
    } catch (error) {
      throwLater(error);
    }
  }

  /** The place of the first event of the current batch that was not looked at yet. */
  unseen() {
    if (this.batch === null) return EVENTS_PER_TURN;
    return this.handling ? this.position + 1 : this.position;
  }

  /**
   * Whether anybody waits for the ask at this place of the batch, and will when it is answered: where more comes than
   * can be done, asks would otherwise be begun when their time is all but over, and none be answered. If not, it is
   * gone then.
   */
  wants(index) {
    const { now, answer } = this.pace;
    return (answer === 0 && now - this.taken < STALE_MS) || this.native.wants(index, answer);
  }

  fail([, slot, code, delivered, message, body]) {
    scatter();
    this.calls.take(slot).reject(rebuild(code, delivered, message, body));
  }

  /**
   * Puts a payload that stands apart where its place and form stand. It is decoded alone, so that one which cannot be fails its own message
   * and no other; false then.
   */
  unfold(kind, event) {
    const at = DATA_AT[kind];
    const stands = event[at];
    try {
      event[at] = take(this.native, Math.floor(stands / FORMS), stands % FORMS);
      return true;
    } catch (error) {
      const message = `The payload cannot be read: ${error.message}`;
      if (kind === REPLY) this.calls.take(event[1]).reject(failure('DW_ERR_REJECTED', message));
      else if (kind === FAIL) this.calls.take(event[1]).reject(failure(event[2], event[4], event[3]));
      else if (kind === ASK) this.native.fail(event[1], message, JSON.stringify({ name: 'Error', message }));
      else if (kind === TELL && event[1] > 0) this.native.done(event[1]);
      this.touch();
      return false;
    }
  }

  /** No event comes any more. */
  close(error) {
    this.closed = true;
    this.batch = null;
    this.failAll(error);
  }

  /** Ends everything that is outstanding with `error()`. */
  failAll(error) {
    this.calls.failAll(error);
    if (this.direct !== null) this.direct.failAll(error);
  }
}

module.exports.Channel = Channel;
