/**
 * The answers to messages that did not go through the core.
 */
'use strict';

const { describeOwn, rebuild } = require('./failures');
const { failure } = require('../../base/errors');
const { copyOf, keep, sizeOf } = require('../../payload/payload');

class DirectAnswers {
  /** @param {Direct} direct */
  constructor(direct) {
    this.direct = direct;
    this.workers = direct.workers;
    this.native = direct.channel.native;
    /** Answers that wait until the broker can prove that it holds its lease. */
    this.held = [];
  }

  /** The handler of `call` has settled. */
  add(call, failed, value) {
    if (!call.open) return;
    const { dispatcher } = this.workers;
    const answer = failed ? { call, error: dispatcher.describe(value) } : this.copied(call, value);
    const { cell } = call.record;
    if (cell === null || !cell.isHolding()) this.deliver(answer);
    else cell.hold(() => this.deliver(answer), (error) => call.reject(rebuild(error.code, 'yes', error.message, describeOwn(error))));
  }

  deliver(answer) {
    const { call } = answer;
    if (!call.open) return;
    // A worker that ended itself may still answer. The calls of one that was fenced have been rejected.
    const gone = !this.workers.records.has(call.record.handle);
    if (gone ? this.native.holds() : this.direct.proves(call.record)) this.settle(answer);
    else this.held.push(answer);
  }

  copied(call, value) {
    const { dispatcher } = this.workers;
    const { record, method } = call;
    try {
      const { data, form } = this.workers.encode(record, value);
      return { call, form, payload: keep(data, form) };
    } catch (error) {
      return { call, error: dispatcher.describe(dispatcher.unserializableAnswer(record, method, error)) };
    }
  }

  settle({ call, error, form, payload }) {
    if (!call.open) return;
    const { maxMessageBytes } = this.workers.core.config;
    if (error !== undefined) {
      call.reject(rebuild('DW_ERR_REJECTED', 'yes', error.message, JSON.parse(JSON.stringify(error))));
    } else if (sizeOf(payload) > this.direct.maxUnits && Buffer.byteLength(payload) > maxMessageBytes) {
      const wrong = `Expected a message of at most ${maxMessageBytes} bytes but received one of ${Buffer.byteLength(payload)} bytes.`;
      call.reject(failure('DW_ERR_TOO_LARGE', `The result is too large. ${wrong}`, 'yes'));
    } else call.resolve(copyOf(payload, form));
  }

  /** The broker may have renewed its lease. */
  release() {
    if (!this.native.holds()) return;
    const { held } = this;
    this.held = [];
    held.forEach((answer) => this.settle(answer));
  }
}

module.exports.DirectAnswers = DirectAnswers;
