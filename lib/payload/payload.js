/**
 * Data of the application on its way into messages and out of them.
 */
'use strict';

const { types } = require('node:util');
const { Decoder } = require('./packed/decode');
const { Encoder } = require('./packed/encode');
const { Scratch } = require('./packed/scratch');
const { StructuredDecoder } = require('./packed/structured-decode');
const { StructuredEncoder } = require('./packed/structured-encode');
const { isHeavy } = require('./packed/weigh');
const { FORM } = require('../protocol');

const { STRING, JSON_TEXT, PACKED, BYTES, STRUCTURED } = FORM;

/** What `encode` returns, always the same object: it is read before anything else is encoded. */
const encoded = { data: undefined, form: JSON_TEXT };

const packer = new Encoder();
const structurer = new StructuredEncoder();
const unpacker = new Decoder();
const unstructurer = new StructuredDecoder();
const incoming = new Scratch();

/**
 * What the core takes of a value: `data`, a string or a `Uint8Array` (valid until the next call) or `undefined`, and its `form`. Throws what
 * the application's own code throws, and where the value cannot be expressed.
 *
 * `JSON.stringify` takes 2.9 µs for a string of 1 KiB, the core 0.2 (Node 20, 2 cores).
 *
 * @param {*} value
 * @param {boolean} structured by the codec `'structured'`
 * @param {number} limit bytes
 */
function encode(value, structured, limit) {
  if (structured || typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return encodeOther(value, structured, limit);
  return encodeObject(value, limit);
}

/** Most messages carry an object. Its way is short, so that V8 can compile it together with what sends it. */
function encodeObject(value, limit) {
  return isHeavy(value) ? pack(value, limit) : as(JSON_TEXT, JSON.stringify(value));
}

function encodeOther(value, structured, limit) {
  if (typeof value === 'string' && value.isWellFormed()) return as(STRING, value);
  if (types.isUint8Array(value)) return as(BYTES, steady(value));
  if (structured && value !== undefined && value !== null) return as(STRUCTURED, structurer.encode(value));
  return ArrayBuffer.isView(value) ? encodeObject(value, limit) : as(JSON_TEXT, JSON.stringify(value));
}

function as(form, data) {
  encoded.data = data;
  encoded.form = form;
  return encoded;
}

/** By the encoding `packed`, or as JSON text where that does not take the value. */
function pack(value, limit) {
  let data;
  try {
    data = packer.encode(value, limit);
  } catch {
    // JSON finds out what is wrong, if anything is.
    return as(JSON_TEXT, JSON.stringify(value));
  }
  return as(PACKED, data);
}

/** Memory that other threads may write to is copied before anybody reads it twice. */
function steady(bytes) {
  return types.isSharedArrayBuffer(bytes.buffer) ? Buffer.from(bytes) : bytes;
}

/**
 * The value of a payload that was sent apart from its batch. Throws if the payload cannot be decoded.
 *
 * @param {NativeBroker} native
 * @param {number} index its place
 * @param {number} form
 */
function take(native, index, form) {
  if (form === STRING) return native.take(index);
  if (form === JSON_TEXT) return JSON.parse(native.take(index));
  if (form === BYTES) return takeBytes(native, index);
  const length = fetch(native, index);
  return decoderOf(form).decode(incoming.bytes, incoming.view, length);
}

function decoderOf(form) {
  return form === PACKED ? unpacker : unstructurer;
}

function fetch(native, index) {
  incoming.reset();
  const length = native.fetch(index, incoming.bytes);
  if (length > incoming.bytes.length) {
    incoming.reset(length);
    native.fetch(index, incoming.bytes);
  }
  return length;
}

function takeBytes(native, index) {
  const bytes = Buffer.allocUnsafe(native.fetch(index, NO_ROOM));
  if (bytes.length > 0) native.fetch(index, bytes);
  return bytes;
}

const NO_ROOM = new Uint8Array(0);

/** `data` of a payload that stays in this process, so that it outlives the next call of `encode`. */
function keep(data, form) {
  return form >= PACKED ? Buffer.from(data) : data;
}

/** The value of what {@link keep} kept. */
function copyOf(data, form) {
  if (data === undefined || form === STRING) return data;
  if (form === JSON_TEXT) return JSON.parse(data);
  if (form === BYTES) return data;
  return decoderOf(form).decode(data, new DataView(data.buffer, data.byteOffset, data.length), data.length);
}

/** How much of the limit it takes at least, without a look at it. */
function sizeOf(data) {
  return data === undefined ? 0 : data.length;
}

module.exports.encode = encode;
module.exports.take = take;
module.exports.keep = keep;
module.exports.copyOf = copyOf;
module.exports.sizeOf = sizeOf;
