/**
 * Payloads of the encoding `structured` to values. What is said in `decode.js` holds here, too.
 */
'use strict';

const { Date } = require('../../base/timers');
const { Decoder, Malformed, put } = require('./decode');
const format = require('./format');

const { REFERENCE, DATE, MAP, SET, BIGINT, BUFFER, VIEW, ARRAY_BUFFER, REGEXP, ERROR, BOXED, HOLE, VIEWS, ERRORS } = format;

/** Stands where an array has no element. */
const NOTHING = Symbol('no element');
const HEX = /^-?[0-9a-f]+$/;

class StructuredDecoder extends Decoder {
  constructor() {
    super();
    /** By the order in which they began. */
    this.objects = [];
  }

  decode(bytes, view, length) {
    try {
      return super.decode(bytes, view, length);
    } finally {
      this.objects = [];
    }
  }

  /** From here on references can name it. */
  begin(object) {
    this.objects.push(object);
    return object;
  }

  array(length) {
    const array = this.begin([]);
    for (let at = 0; at < length; at += 1) {
      const value = this.element();
      if (value === NOTHING) array.length = at + 1;
      else array.push(value);
    }
    return array;
  }

  element() {
    if (this.bytes[this.at] !== HOLE) return this.value();
    this.at += 1;
    return NOTHING;
  }

  record(shape) {
    if (shape === undefined) throw new Malformed('an unknown record');
    const object = this.begin({});
    this.deeper();
    for (const name of shape.names) {
      if (shape.assignable) object[name] = this.value();
      else put(object, name, this.value());
    }
    this.level -= 1;
    return object;
  }

  pairs(count) {
    const object = this.begin({});
    for (let left = count; left > 0; left -= 1) {
      const name = this.value();
      if (typeof name !== 'string') throw new Malformed('a name that is no string');
      put(object, name, this.value());
    }
    return object;
  }

  other(kind) {
    switch (kind) {
      case REFERENCE:
        return this.reference(this.view.getUint32(this.skip(4)));
      case DATE:
        return this.begin(new Date(this.primitive('number')));
      case MAP:
        return this.map(this.count());
      case SET:
        return this.set(this.count());
      case BIGINT:
        return bigInt(this.primitive('string'));
      case BUFFER:
        return this.begin(Buffer.from(this.chunk()));
      case ARRAY_BUFFER:
        return this.begin(ownBuffer(this.chunk()));
      case VIEW:
        return this.viewOf(VIEWS[this.bytes[this.skip(1)]]);
      case REGEXP:
        return this.begin(new RegExp(this.primitive('string'), this.primitive('string')));
      case ERROR:
        return this.error(ERRORS[this.bytes[this.skip(1)]]);
      case BOXED:
        return this.boxed();
      default:
        return super.other(kind);
    }
  }

  reference(number) {
    if (number >= this.objects.length) throw new Malformed('a reference to no object');
    return this.objects[number];
  }

  primitive(type) {
    const value = this.value();
    if (typeof value !== type) throw new Malformed(`no ${type} where one is expected`);
    return value;
  }

  map(count) {
    const map = this.begin(new Map());
    for (let left = count; left > 0; left -= 1) {
      const key = this.value();
      map.set(key, this.value());
    }
    return map;
  }

  set(count) {
    const set = this.begin(new Set());
    for (let left = count; left > 0; left -= 1) set.add(this.value());
    return set;
  }

  /** Bytes of the payload, in the memory that it was read into. */
  chunk() {
    const length = this.count();
    const begin = this.skip(length);
    return this.bytes.subarray(begin, begin + length);
  }

  viewOf(name) {
    const View = name === undefined ? undefined : globalThis[name];
    if (View === undefined) throw new Malformed('a view of an ArrayBuffer that this version of Node.js does not have');
    return this.begin(new View(ownBuffer(this.chunk())));
  }

  error(name) {
    if (name === undefined) throw new Malformed('an unknown error');
    const error = this.begin(new globalThis[name]());
    // It was not made here: the stack would lie.
    delete error.stack;
    const message = this.value();
    if (message !== undefined) define(error, 'message', String(message));
    const cause = this.value();
    if (cause !== undefined) define(error, 'cause', cause);
    return error;
  }

  boxed() {
    // Its number comes before what is inside of it has one; that is a primitive, which has none.
    const place = this.objects.length;
    this.objects.push(null);
    const value = this.value();
    if (value === null || (typeof value === 'object') || value === undefined) throw new Malformed('no primitive where one is expected');
    this.objects[place] = Object(value);
    return this.objects[place];
  }
}

/** With memory of its own: the payload's is used again. */
function ownBuffer(bytes) {
  return new Uint8Array(bytes).buffer;
}

function define(object, name, value) {
  Object.defineProperty(object, name, { value, writable: true, configurable: true });
}

function bigInt(text) {
  if (!HEX.test(text)) throw new Malformed('digits that are no hexadecimal number');
  return text[0] === '-' ? -BigInt(`0x${text.slice(1)}`) : BigInt(`0x${text}`);
}

module.exports.StructuredDecoder = StructuredDecoder;
