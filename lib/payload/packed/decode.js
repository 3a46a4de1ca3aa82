/**
 * Payloads of the encoding `packed` to values. A payload comes from another process and may hold anything: what is no value throws.
 *
 * No code of the application runs here, so a payload that says more than its bytes hold is only found out at its end, before anybody
 * sees the value.
 */
'use strict';

const format = require('./format');

const {
  HEADER, TEXTS_ARE_UTF16, MOST_RECORDS, LONGEST_SHORT, SHORT,
  NULL, FALSE, TRUE, UNDEFINED, INT8, INT16, INT32, DOUBLE, ASCII, UTF8, UTF16, ARRAY, DEFINE, RECORD, OBJECT,
} = format;

/** Values inside of each other: more than any encoder writes. */
const MOST_LEVELS = 1100;

class Malformed extends Error {}

/** The names of a record. */
class Shape {
  constructor(names) {
    this.names = names;
    /** Whether an assignment makes a property of each. Not of `__proto__`, and not where the application changed `Object.prototype`. */
    this.assignable = !names.some((name) => name in Object.prototype);
  }
}

/** Reads one payload after the other. `structured.js` adds the kinds of values that JSON does not have. */
class Decoder {
  constructor() {
    this.bytes = null;
    this.view = null;
    this.at = 0;
    this.end = 0;
    this.texts = '';
    this.textAt = 0;
    this.shapes = [];
    this.level = 0;
  }

  /** The value of the payload that is the first `length` bytes. `view` is of the same memory. */
  decode(bytes, view, length) {
    if (length <= HEADER) throw new Malformed('a payload without a value');
    const textsBegin = view.getUint32(1);
    if (textsBegin <= HEADER || textsBegin > length) throw new Malformed('texts outside of the payload');
    this.bytes = bytes;
    this.view = view;
    this.at = HEADER;
    this.end = textsBegin;
    this.texts = bytes.toString(bytes[0] === TEXTS_ARE_UTF16 ? 'utf16le' : 'utf8', textsBegin, length);
    this.textAt = 0;
    this.level = 0;
    try {
      const value = this.value();
      if (this.at !== this.end || this.textAt !== this.texts.length) throw new Malformed('a payload of another length');
      return value;
    } finally {
      this.bytes = this.view = null;
      this.texts = '';
      this.shapes = [];
    }
  }

  value() {
    const kind = this.bytes[this.at];
    this.at += 1;
    if (kind < NULL) return kind;
    if (kind >= SHORT) return this.text(kind - SHORT);
    return this.long(kind);
  }

  long(kind) {
    switch (kind) {
      case NULL:
        return null;
      case FALSE:
        return false;
      case TRUE:
        return true;
      case UNDEFINED:
        return undefined;
      case INT8:
        return this.view.getInt8(this.skip(1));
      case INT16:
        return this.view.getInt16(this.skip(2));
      case INT32:
        return this.view.getInt32(this.skip(4));
      case DOUBLE:
        return this.view.getFloat64(this.skip(8));
      case ASCII:
        return this.string('latin1');
      case UTF8:
        return this.string('utf8');
      case UTF16:
        return this.string('utf16le');
      case RECORD:
        return this.record(this.shapes[this.bytes[this.skip(1)]]);
      default:
        return this.inside(kind);
    }
  }

  deeper() {
    this.level += 1;
    if (this.level > MOST_LEVELS) throw new Malformed('too many values inside of each other');
  }

  /** A value with others in it. */
  inside(kind) {
    this.deeper();
    const value = this.compound(kind);
    this.level -= 1;
    return value;
  }

  compound(kind) {
    if (kind === ARRAY) return this.array(this.count());
    if (kind === DEFINE) return this.record(this.define());
    if (kind === OBJECT) return this.pairs(this.count());
    return this.other(kind);
  }

  /** Kinds that this encoding does not have. */
  other(kind) {
    throw new Malformed(`a value of the unknown kind ${kind}`);
  }

  /** Where the next bytes begin. */
  skip(count) {
    const { at } = this;
    this.at = at + count;
    if (this.at > this.end) throw new Malformed('a value that ends early');
    return at;
  }

  /** A number of values, each of which takes a byte at least. */
  count() {
    const count = this.view.getUint32(this.skip(4));
    if (count > this.end - this.at) throw new Malformed('more values than bytes');
    return count;
  }

  text(length) {
    if (length > LONGEST_SHORT) throw new Malformed('a short string that is too long');
    return this.nextText(length);
  }

  nextText(length) {
    const begin = this.textAt;
    this.textAt = begin + length;
    return this.texts.substring(begin, this.textAt);
  }

  string(encoding) {
    const length = this.count();
    const begin = this.skip(length);
    return this.bytes.toString(encoding, begin, begin + length);
  }

  /** JSON has no elements that are not there. */
  array(length) {
    const array = [];
    for (let at = 0; at < length; at += 1) {
      const value = this.value();
      array.push(value === undefined ? null : value);
    }
    return array;
  }

  define() {
    if (this.shapes.length >= MOST_RECORDS) throw new Malformed('too many records');
    const names = [];
    for (let left = this.bytes[this.skip(1)]; left > 0; left -= 1) names.push(this.nextText(this.bytes[this.skip(1)]));
    const shape = new Shape(names);
    this.shapes.push(shape);
    return shape;
  }

  record(shape) {
    if (shape === undefined) throw new Malformed('an unknown record');
    this.deeper();
    const { names, assignable } = shape;
    const object = {};
    for (let at = 0; at < names.length; at += 1) {
      const value = this.value();
      if (value === undefined) continue;
      if (assignable) object[names[at]] = value;
      else put(object, names[at], value);
    }
    this.level -= 1;
    return object;
  }

  pairs(count) {
    const object = {};
    for (let left = count; left > 0; left -= 1) {
      const name = this.value();
      if (typeof name !== 'string') throw new Malformed('a name that is no string');
      const value = this.value();
      if (value !== undefined) put(object, name, value);
    }
    return object;
  }
}

/** Makes a property as `JSON.parse` does, whatever `Object.prototype` has under that name. */
function put(object, name, value) {
  if (name in Object.prototype) Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
  else object[name] = value;
}

module.exports.Decoder = Decoder;
module.exports.Malformed = Malformed;
module.exports.put = put;
