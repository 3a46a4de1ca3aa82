/**
 * A message of a broker to its own worker, as JavaScript keeps it (lib/direct.js).
 */
'use strict';

const { failure } = require('./errors');

/** A message that waits for its turn. Of a tell it stays so. */
class Message {
  constructor(record, method, text, plain) {
    this.record = record;
    this.method = method;
    this.text = text;
    this.plain = plain;
  }

  get data() {
    return this.plain || this.text === undefined ? this.text : JSON.parse(this.text);
  }
}

/** An ask until its answer. */
class DirectCall extends Message {
  constructor(record, method, text, plain, settle) {
    super(record, method, text, plain);
    this.settle = settle;
    this.open = true;
    /** Its handler, once it runs. */
    this.turn = null;
    this.deadline = 0;
    this.list = null;
    this.before = null;
    this.after = null;
  }

  resolve(value) {
    this.close();
    this.settle.resolve(value);
  }

  reject(error) {
    this.close();
    this.settle.reject(error);
    if (this.turn !== null) this.turn.cancelled();
  }

  close() {
    this.open = false;
    this.list.remove(this);
    if (this.record.answered !== null) this.record.answered();
  }

  tooLate() {
    this.reject(failure('DW_ERR_TIMEOUT', 'No answer arrived in time.'));
  }

  /** The one that it was made for has ended. */
  abort() {
    const text = 'The call was made for one that nobody waits for any more.';
    this.reject(failure('DW_ERR_ABORTED', text, this.turn === null ? 'no' : 'unknown'));
  }
}

module.exports.DirectCall = DirectCall;
module.exports.Message = Message;
