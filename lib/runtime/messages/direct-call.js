/**
 * A message from a broker to its own worker, kept in JavaScript (lib/runtime/messages/direct.js).
 */
'use strict';

const { failure } = require('../../base/errors');
const { copyOf } = require('../../payload/payload');
const { throwLater } = require('../../base/promises');
const { formOf } = require('../recipes');

/** Lists of calls that are still to be aborted; `null` while none is. */
let abortions = null;

/**
 * Aborts those of `calls` that are open, and what their handlers called in turn. The calls of an application may be nested to
 * any depth, so this is a work list and no recursion.
 */
function abortAll(calls) {
  if (abortions !== null) {
    abortions.push(calls);
    return;
  }
  abortions = [calls];
  for (let next = 0; next < abortions.length; next += 1) {
    const list = abortions[next];
    abortions[next] = undefined;
    for (const call of list) abort(call);
  }
  abortions = null;
}

function abort(call) {
  try {
    if (call.open) call.abort();
  } catch (error) {
    // A promise class of the application's may throw. The other calls end nevertheless.
    throwLater(error);
  }
}

/** A message that waits for its handler: a tell, or the base of an ask. */
class Message {
  /** `payload`, `form`: see lib/payload/payload.js. */
  constructor(record, method, payload, form) {
    this.record = record;
    this.method = method;
    this.payload = payload;
    this.form = form;
  }

  get data() {
    return copyOf(this.payload, formOf(this.form));
  }
}

/** An ask until its answer. */
class DirectCall extends Message {
  constructor(record, method, payload, form, settle) {
    super(record, method, payload, form);
    this.settle = settle;
    this.open = true;
    /** Its handler, once it runs. */
    this.turn = null;
    this.deadline = 0;
    this.list = null;
    this.before = null;
    this.after = null;
  }

  /** The handler begins. */
  begin(turn) {
    this.turn = turn;
    this.record.handling += 1;
  }

  resolve(value) {
    if (!this.open) return;
    this.close();
    this.settle.resolve(value);
  }

  reject(error) {
    if (!this.open) return;
    this.close();
    this.settle.reject(error);
    if (this.turn !== null) this.turn.cancelled();
  }

  close() {
    this.open = false;
    this.list.remove(this);
    if (this.turn !== null) this.record.handling -= 1;
    if (this.record.answered !== null) this.record.answered();
  }

  tooLate() {
    this.reject(failure('DW_ERR_TIMEOUT', 'No answer arrived in time.'));
  }

  /** The call whose handler made this one has ended. */
  abort() {
    const text = 'Cancelled: the request that made this call has already ended.';
    this.reject(failure('DW_ERR_ABORTED', text, this.turn === null ? 'no' : 'unknown'));
  }
}

module.exports.abortAll = abortAll;
module.exports.DirectCall = DirectCall;
module.exports.Message = Message;
