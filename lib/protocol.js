/**
 * What passes between the native core and JavaScript: kinds of events, the positions in them, forms of payloads, outcomes and limits.
 *
 * The core has the same table in Rust. A test compares the two, so a number is written once on each side and nowhere else.
 */
'use strict';

/** The kind of an event, its first element. A batch of events is an array of them, as one JSON text. */
const EVENT = Object.freeze({
  /** [slot, value]: an operation of JavaScript succeeded. */
  REPLY: 0,
  /** [slot, code, delivered, message, body]: it failed. `body`: what the handler failed with, if a handler did. */
  FAIL: 1,
  /** [inbound, handle, method, data]: an ask for a worker of this broker. */
  ASK: 2,
  /** [inbound, handle, method, data]: a tell. `inbound` is the negative number of its connection where the core does not wait for its end. */
  TELL: 3,
  /** [handle, id, class, cause, epoch, attempt, attributes, kept, version, data, timers]: construct this worker. `version`, `data`: what it has stored. */
  CREATE: 4,
  /** [handle, cause]: end this worker. */
  DESTROY: 5,
  /** [level, message]: a line of the log. */
  LOG: 6,
  /** [name, …details]: an event of the broker. */
  NOTICE: 7,
  /** [inbound]: the caller no longer waits for the answer to this ask. */
  CANCEL: 8,
  /** [handle]: every message that the broker itself sent to this worker through the core has been handed out. */
  DIRECT: 9,
  /** [requester, data]: a router received a request. */
  REQUEST: 10,
  /** [data]: a router received the answer to a request. */
  RESPONSE: 11,
  /** [host, port]: a connection that a router opened has ended. */
  DISCONNECT: 12,
  /** [handle]: report when the event loop has gone on after the `onCreate` of this worker, which is suspected to end processes. */
  TRIAL: 13,
});

/** Of each kind whose payload may be sent apart: the position of the payload in the event. */
const PAYLOAD_AT = Object.freeze({ [EVENT.REPLY]: 2, [EVENT.ASK]: 4, [EVENT.TELL]: 4, [EVENT.REQUEST]: 2, [EVENT.RESPONSE]: 1 });

/** Added to the kind of an event whose payload is sent apart: in place of the payload is its index, times `FORMS`, plus its form. */
const APART = 16;
const FORMS = 8;

/** How a payload is written. All but `STRING` are also the encodings of the wire format (src/wire/message.rs). */
const FORM = Object.freeze({
  /** A JavaScript string, which the core turns into JSON text. */
  STRING: 0,
  JSON_TEXT: 1,
  PACKED: 2,
  BYTES: 3,
  STRUCTURED: 4,
});

/**
 * A message of an agent that `broker.get()` made carries, in one argument, the form of its payload plus this factor times the
 * number of the recipe for its worker. Greater than every form.
 */
const RECIPE_FACTOR = 16;

/** What became of a CREATE event, as JavaScript reports it to the core. */
const CREATION = Object.freeze({ CREATED: 0, CONSTRUCTOR_THREW: 1, CLASS_UNKNOWN: 2, REJECTED: 3, DATA_UNREADABLE: 4 });

/** Values that both sides enforce. */
const LIMIT = Object.freeze({
  /** Events that one batch carries at most. */
  BATCH_EVENTS: 256,
  /** Messages that wait for JavaScript at most, and their bytes. */
  INBOX_MESSAGES: 32768,
  INBOX_BYTES: 64 * 1024 * 1024,
  /** Messages that wait for one worker at most; a serial class may set another limit. */
  WAITING_MESSAGES: 10000,
  /** Bytes of UTF-8: the id of a worker or broker, the name of a method. */
  ID_BYTES: 512,
  METHOD_BYTES: 256,
  /** Ids and names of methods that go to the core by number, of each broker. */
  KNOWN_NAMES: 4096,
});

module.exports.EVENT = EVENT;
module.exports.PAYLOAD_AT = PAYLOAD_AT;
module.exports.APART = APART;
module.exports.FORMS = FORMS;
module.exports.FORM = FORM;
module.exports.RECIPE_FACTOR = RECIPE_FACTOR;
module.exports.CREATION = CREATION;
module.exports.LIMIT = LIMIT;
