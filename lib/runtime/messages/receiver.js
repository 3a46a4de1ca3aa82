/**
 * Takes batches of events from the core and hands the events out, as many in one turn of the event loop as it has time for.
 */
'use strict';

const { rebuild } = require('./failures');
const { callBack, gather, outside, scatter } = require('../../base/context');
const { failure } = require('../../base/errors');
const { Pace } = require('../../base/pace');
const { throwLater } = require('../../base/promises');
const { setImmediate } = require('../../base/timers');
const { take } = require('../../payload/payload');
const { APART, EVENT, FORMS, LIMIT, PAYLOAD_AT } = require('../../protocol');

const { REPLY, FAIL, ASK, TELL } = EVENT;

/** By kind, whether an event starts a handler. The core puts these last in a batch. */
const STARTS = Array.from({ length: APART }, (_, kind) => [ASK, TELL, EVENT.CREATE, EVENT.DIRECT].includes(kind));
/** By kind, the position of the payload. */
const DATA_AT = Array.from({ length: APART }, (_, kind) => PAYLOAD_AT[kind] ?? 0);

/**
 * Events handled in one turn of the event loop. The rest waits for the next turn, so that the application's own timers and sockets are
 * served under load. 256 handlers of a few µs each take about one millisecond.
 */
const EVENTS_PER_TURN = LIMIT.BATCH_EVENTS;
/** If a turn starts fewer handlers than this, they are slow: the messages that wait must not delay the answers that arrive meanwhile. */
const FEW = 64;
/** A batch that is worked on for longer than this may hold asks whose callers have stopped waiting. */
const STALE_MS = 5;

function drainHere(receiver, text) {
  receiver.drainHere(text);
}

class Receiver {
  /**
   * @param {Channel} channel
   * @param {function(number, Array, number): void} receive see {@link Channel}
   */
  constructor(channel, receive) {
    this.channel = channel;
    this.receive = receive;
    this.batch = null;
    /** The position of the event that is handled, or comes next. */
    this.position = 0;
    /** How many events of a batch may start handlers: as many as a turn has time for. */
    this.starts = EVENTS_PER_TURN;
    this.pace = new Pace();
    /** When the batch was taken, ms. */
    this.taken = 0;
    this.draining = false;
    /** An event of the batch is being handled. */
    this.handling = false;
    /** Another turn of the event loop is arranged. */
    this.backlog = false;
    /** The core woke this side while it was to look anyway: it does not wake it again before it has looked. */
    this.woken = false;
    this.closed = false;
    this.drainBacklog = () => {
      this.backlog = false;
      this.drain();
    };
  }

  drainSoon() {
    if (this.backlog) return;
    this.backlog = true;
    outside(setImmediate, this.drainBacklog);
  }

  /**
   * The core has events. `text`: the next batch; what is left to send is written by the core when this returns.
   *
   * @returns {number} how many events that start handlers the next wake may bring; 0: this side takes the next batch by itself
   */
  wake(text) {
    this.woken = text === undefined;
    if (text !== undefined || !this.backlog) this.drain(text);
    return this.batch === null && !this.backlog && !this.draining ? this.starts : 0;
  }

  drain(text) {
    if (this.draining) return;
    this.draining = true;
    // What listeners of the application store in an AsyncLocalStorage stays within this turn.
    outside(drainHere, this, text);
  }

  drainHere(text) {
    const { channel } = this;
    gather();
    try {
      this.work(text);
    } finally {
      callBack();
      if (channel.unsaved.length > 0) channel.save();
      this.draining = false;
      if (channel.dirty && text === undefined) channel.flush();
      else if (channel.dirty) this.written();
    }
  }

  /** Handles what one turn of the event loop has time for. */
  work(text) {
    const { channel, pace } = this;
    pace.begin();
    if (channel.direct !== null) {
      channel.direct.run(EVENTS_PER_TURN);
      if (channel.direct.hasWork) this.drainSoon();
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
      // The core had no more, and wakes this side for what it got since. It does not wake it for messages of this very process.
      if (batch.length < this.starts && !this.woken && (text !== undefined || !channel.dirty)) return;
      this.starts = Math.min(2 * this.starts, EVENTS_PER_TURN);
    }
  }

  /** The turn is over in the middle of a batch. Answers to this broker's own calls must not wait behind slow handlers. */
  breakOff(started) {
    if (started >= FEW) return;
    this.channel.native.hold(this.position);
    this.batch = null;
    this.starts = Math.max(started, 1);
  }

  /** Takes the next batch from the core; `false` if there is none: then the core has written what was to be sent. */
  next() {
    this.woken = false;
    const text = this.channel.native.drain(this.starts);
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
    const { channel } = this;
    channel.dirty = false;
    if (channel.direct !== null && channel.direct.hasWork) this.drainSoon();
  }

  /** Handles one event. An error that a listener of the application throws does not reach the other events. */
  handle(event, index) {
    try {
      let kind = event[0];
      if (kind >= APART) {
        kind -= APART;
        if (!this.unfold(kind, event)) return;
      }
      if (kind === REPLY) this.channel.calls.take(event[1]).resolve(event[2]);
      else if (kind === FAIL) this.fail(event);
      else this.receive(kind, event, index);
    } catch (error) {
      throwLater(error);
    }
  }

  fail([, slot, code, delivered, message, body]) {
    scatter();
    this.channel.calls.take(slot).reject(rebuild(code, delivered, message, body));
  }

  /** The position of the first event of the current batch that was not handed out yet. */
  unseen() {
    if (this.batch === null) return EVENTS_PER_TURN;
    return this.handling ? this.position + 1 : this.position;
  }

  /**
   * Whether the caller of the ask at this position still waits, and will when it is answered. Under overload, asks would otherwise be begun
   * when their time is almost over, and none would be answered in time. If the result is `false`, the core has ended the ask.
   */
  wants(index) {
    const { now, answer } = this.pace;
    return (answer === 0 && now - this.taken < STALE_MS) || this.channel.native.wants(index, answer);
  }

  /**
   * Replaces the index and form of a payload that was sent apart by its value. It is decoded alone, so that one which cannot be decoded
   * fails its own message and no other; the result is `false` then.
   */
  unfold(kind, event) {
    const { native } = this.channel;
    const at = DATA_AT[kind];
    const place = event[at];
    try {
      event[at] = take(native, Math.floor(place / FORMS), place % FORMS);
      return true;
    } catch (error) {
      this.undecodable(kind, event, `The payload cannot be decoded: ${error.message}`);
      return false;
    }
  }

  undecodable(kind, event, message) {
    const { calls, native } = this.channel;
    if (kind === REPLY) calls.take(event[1]).reject(failure('DW_ERR_REJECTED', message));
    else if (kind === ASK) native.fail(event[1], message, JSON.stringify({ name: 'Error', message }));
    else if (kind === TELL && event[1] > 0) native.done(event[1]);
    this.channel.touch();
  }

  /** Hands out no more events. */
  close() {
    this.closed = true;
    this.batch = null;
  }
}

module.exports.Receiver = Receiver;
