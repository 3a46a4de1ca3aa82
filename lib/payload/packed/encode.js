/**
 * Values to payloads of the encoding `packed`: what `JSON.parse(JSON.stringify(value))` keeps of them, to the letter.
 *
 * Everything that JSON treats in a way of its own (`toJSON`, boxed primitives, BigInt, cycles) is left to JSON: {@link pack} gives up then.
 */
'use strict';

const format = require('./format');
const { Scratch } = require('./scratch');

const {
  HEADER, TEXTS_ARE_UTF16, LONGEST_SHORT, MOST_NAMES, MOST_RECORDS, LONGEST_NAME, SHORT,
  NULL, FALSE, TRUE, UNDEFINED, INT8, INT16, INT32, DOUBLE, ASCII, UTF8, UTF16, ARRAY, DEFINE, RECORD, OBJECT,
} = format;

/** Objects inside of each other that are packed. A cycle ends here, and is found by JSON. */
const MOST_LEVELS = 100;
/** Room that every value may use without asking. */
const ROOM = 16;
const MOST_BYTES_PER_UNIT = 3;

const toStringTag = Object.prototype.toString;

/** Thrown where a value is not for this encoding. */
const UNFIT = new Error('The value is not for this encoding');

/** The names of the properties of an object, and the number under which the payload knows them. */
class Shape {
  constructor(names, number) {
    this.names = names;
    this.number = number;
  }

  has(names) {
    const own = this.names;
    const { length } = names;
    if (own.length !== length) return false;
    for (let at = 0; at < length; at += 1) if (own[at] !== names[at]) return false;
    return true;
  }
}

/** Writes one payload after the other. `structured.js` adds the kinds of values that JSON does not have. */
class Encoder {
  constructor() {
    this.scratch = new Scratch();
    this.at = 0;
    this.texts = '';
    this.shapes = [];
    this.lastShape = null;
    this.limit = 0;
    /** A getter of the application may send another message meanwhile. */
    this.busy = false;
  }

  /**
   * The payload of `value`, in memory that the next call uses again. Throws {@link UNFIT}, also where it takes more bytes than `limit` (JSON
   * text may be shorter), or what the application's getters throw.
   */
  encode(value, limit) {
    if (this.busy) throw UNFIT;
    this.busy = true;
    this.limit = limit;
    this.scratch.reset();
    this.at = HEADER;
    try {
      this.value(value, 0);
      return this.finish();
    } finally {
      this.busy = false;
      this.texts = '';
      this.shapes = [];
      this.lastShape = null;
    }
  }

  finish() {
    const { texts } = this;
    const asUtf8 = texts.isWellFormed();
    this.reserve(texts.length * MOST_BYTES_PER_UNIT);
    const { bytes, view } = this.scratch;
    bytes[0] = asUtf8 ? 0 : TEXTS_ARE_UTF16;
    view.setUint32(1, this.at);
    this.at += bytes.write(texts, this.at, asUtf8 ? 'utf8' : 'utf16le');
    if (this.at > this.limit) throw UNFIT;
    return bytes.subarray(0, this.at);
  }

  reserve(size) {
    const needed = this.at + size + ROOM;
    if (needed <= this.scratch.bytes.length) return;
    if (this.at > this.limit) throw UNFIT;
    this.scratch.grow(needed, this.at);
  }

  value(value, level) {
    this.reserve(0);
    switch (typeof value) {
      case 'string':
        this.string(value);
        break;
      case 'number':
        this.number(value);
        break;
      case 'boolean':
        this.byte(value ? TRUE : FALSE);
        break;
      case 'object':
        if (value === null) this.byte(NULL);
        else this.object(value, level);
        break;
      default:
        this.other(value);
    }
  }

  byte(byte) {
    this.scratch.bytes[this.at] = byte;
    this.at += 1;
  }

  count(kind, count) {
    this.byte(kind);
    this.scratch.view.setUint32(this.at, count);
    this.at += 4;
  }

  string(text) {
    const { length } = text;
    if (length <= LONGEST_SHORT) {
      this.texts += text;
      this.byte(SHORT + length);
    } else this.longString(text, length);
  }

  longString(text, length) {
    this.reserve(length * MOST_BYTES_PER_UNIT);
    const { bytes, view } = this.scratch;
    const begin = this.at + 5;
    let kind = UTF8;
    let written = bytes.write(text, begin, 'utf8');
    if (written === length) kind = ASCII;
    else if (!text.isWellFormed()) {
      kind = UTF16;
      written = bytes.write(text, begin, 'utf16le');
    }
    bytes[this.at] = kind;
    view.setUint32(this.at + 1, written);
    this.at = begin + written;
  }

  number(number) {
    const integer = number | 0;
    if (integer !== number) {
      this.noInteger(number);
      return;
    }
    const { bytes, view } = this.scratch;
    const { at } = this;
    if (integer >= 0 && integer < NULL) {
      bytes[at] = integer;
      this.at = at + 1;
    } else if (integer >= -0x80 && integer < 0x80) {
      bytes[at] = INT8;
      view.setInt8(at + 1, integer);
      this.at = at + 2;
    } else if (integer >= -0x8000 && integer < 0x8000) {
      bytes[at] = INT16;
      view.setInt16(at + 1, integer);
      this.at = at + 3;
    } else {
      bytes[at] = INT32;
      view.setInt32(at + 1, integer);
      this.at = at + 5;
    }
  }

  /** JSON has no number that is not finite. */
  noInteger(number) {
    if (Number.isFinite(number)) this.double(number);
    else this.byte(NULL);
  }

  double(number) {
    this.byte(DOUBLE);
    this.scratch.view.setFloat64(this.at, number);
    this.at += 8;
  }

  /** `undefined`, a function, a symbol: none of them is there in JSON. */
  other(value) {
    if (typeof value === 'bigint') throw UNFIT;
    this.byte(UNDEFINED);
  }

  object(object, level) {
    if (level >= MOST_LEVELS || typeof object.toJSON === 'function') throw UNFIT;
    if (Array.isArray(object)) this.array(object, level);
    else if (toStringTag.call(object) === '[object Object]') this.properties(object, level);
    else throw UNFIT;
  }

  array(array, level) {
    const { length } = array;
    this.count(ARRAY, length);
    for (let at = 0; at < length; at += 1) this.value(array[at], level + 1);
  }

  properties(object, level) {
    const names = Object.keys(object);
    const { length } = names;
    if (!this.shape(names)) {
      this.pairs(object, names, level);
      return;
    }
    for (let at = 0; at < length; at += 1) this.value(object[names[at]], level + 1);
  }

  /** Says which names the object has; false where they are not to be a record. */
  shape(names) {
    if (this.lastShape === null || !this.lastShape.has(names)) {
      const number = this.known(names);
      if (number < 0) return this.define(names);
      this.lastShape = this.shapes[number];
    }
    this.byte(RECORD);
    this.byte(this.lastShape.number);
    return true;
  }

  known(names) {
    const { shapes } = this;
    let number = shapes.length - 1;
    while (number >= 0 && !shapes[number].has(names)) number -= 1;
    return number;
  }

  define(names) {
    const { length } = names;
    // What `JSON.rawJSON()` made looks so.
    if (length === 1 && names[0] === 'rawJSON') throw UNFIT;
    if (length > MOST_NAMES || this.shapes.length >= MOST_RECORDS || names.some(isTooLong)) return false;
    this.lastShape = new Shape(names, this.shapes.length);
    this.shapes.push(this.lastShape);
    this.reserve(length);
    this.byte(DEFINE);
    this.byte(length);
    for (const name of names) {
      this.texts += name;
      this.byte(name.length);
    }
    return true;
  }

  pairs(object, names, level) {
    this.count(OBJECT, names.length);
    for (const name of names) {
      this.value(name, level);
      this.value(object[name], level + 1);
    }
  }
}

function isTooLong(name) {
  return name.length > LONGEST_NAME;
}

module.exports.Encoder = Encoder;
module.exports.UNFIT = UNFIT;
