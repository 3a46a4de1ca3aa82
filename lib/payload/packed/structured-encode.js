/**
 * Values to payloads of the encoding `structured`: what `structuredClone` keeps of them.
 *
 * What is different: a `Buffer` stays one, the stack of an error and properties that were added to an array, a date and the like stay
 * here, and views of one `ArrayBuffer` have one each afterwards.
 */
'use strict';

const { types } = require('node:util');
const { Date } = require('../../base/timers');
const { Encoder } = require('./encode');
const format = require('./format');

const {
  UNDEFINED, ARRAY, REFERENCE, DATE, MAP, SET, BIGINT, BUFFER, VIEW, ARRAY_BUFFER, REGEXP, ERROR, BOXED, HOLE, VIEWS, ERRORS,
} = format;

/** Objects inside of each other. The stack of the receiver has to bear them. */
const MOST_LEVELS = 1000;

const toStringTag = Object.prototype.toString;

/** What cannot be sent, with a name for it. */
class Unclonable extends Error {}

const FOREIGN = [
  ['isProxy', 'a Proxy'],
  ['isPromise', 'a Promise'],
  ['isWeakMap', 'a WeakMap'],
  ['isWeakSet', 'a WeakSet'],
  ['isGeneratorObject', 'a generator'],
  ['isSharedArrayBuffer', 'a SharedArrayBuffer'],
  ['isArgumentsObject', 'the arguments of a function'],
  ['isExternal', 'a native object'],
  ['isModuleNamespaceObject', 'a module'],
];

class StructuredEncoder extends Encoder {
  constructor() {
    super();
    /** Objects that the payload has, with their numbers. */
    this.seen = new Map();
  }

  /** The result has any length: the core refuses one that is too long. */
  encode(value) {
    // A getter sends another message: that one is encoded on its own.
    if (this.busy) return new StructuredEncoder().encode(value);
    try {
      return super.encode(value, Infinity);
    } finally {
      this.seen = new Map();
    }
  }

  number(number) {
    if (number === 0 && Object.is(number, -0)) this.double(number);
    else super.number(number);
  }

  noInteger(number) {
    this.double(number);
  }

  other(value) {
    if (value === undefined) this.byte(UNDEFINED);
    else if (typeof value === 'bigint') this.tagged(BIGINT, value.toString(16), 0);
    else throw new Unclonable(typeof value === 'symbol' ? 'a symbol' : `the function ${value.name || '(no name)'}`);
  }

  tagged(kind, value, level) {
    this.byte(kind);
    this.value(value, level);
  }

  object(object, level) {
    const number = this.seen.get(object);
    if (number !== undefined) {
      this.count(REFERENCE, number);
      return;
    }
    if (level >= MOST_LEVELS) throw new Unclonable(`more than ${MOST_LEVELS} objects inside of each other`);
    this.seen.set(object, this.seen.size);
    if (Array.isArray(object)) this.array(object, level);
    else if (toStringTag.call(object) === '[object Object]' && !types.isProxy(object)) this.properties(object, level);
    else this.special(object, level);
  }

  array(array, level) {
    if (types.isProxy(array)) throw new Unclonable('a Proxy');
    const { length } = array;
    this.count(ARRAY, length);
    for (let at = 0; at < length; at += 1) {
      const value = array[at];
      if (value === undefined && !Object.hasOwn(array, at)) this.byte(HOLE);
      else this.value(value, level + 1);
      this.reserve(0);
    }
  }

  special(object, level) {
    if (ArrayBuffer.isView(object)) this.viewOf(object);
    else if (types.isDate(object)) this.tagged(DATE, Date.prototype.getTime.call(object), level);
    else if (types.isMap(object)) this.map(object, level);
    else if (types.isSet(object)) this.set(object, level);
    else if (types.isArrayBuffer(object)) this.chunk(ARRAY_BUFFER, new Uint8Array(object));
    else if (types.isRegExp(object)) this.regExp(object, level);
    else if (types.isNativeError(object)) this.error(object, level);
    else if (types.isBoxedPrimitive(object)) this.tagged(BOXED, primitiveOf(object), level);
    else this.rest(object, level);
  }

  rest(object, level) {
    const foreign = FOREIGN.find(([is]) => types[is](object));
    if (foreign !== undefined) throw new Unclonable(foreign[1]);
    this.properties(object, level);
  }

  map(map, level) {
    const entries = [...Map.prototype.entries.call(map)];
    this.count(MAP, entries.length);
    for (const [key, value] of entries) {
      this.value(key, level + 1);
      this.value(value, level + 1);
    }
  }

  set(set, level) {
    const values = [...Set.prototype.values.call(set)];
    this.count(SET, values.length);
    for (const value of values) this.value(value, level + 1);
  }

  regExp({ source, flags }, level) {
    this.tagged(REGEXP, source, level);
    this.value(flags, level);
  }

  error(error, level) {
    const { name, message, cause } = error;
    this.byte(ERROR);
    this.byte(Math.max(ERRORS.indexOf(name), 0));
    this.value(message === undefined ? undefined : String(message), level);
    this.value(cause, level + 1);
  }

  viewOf(view) {
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    if (Buffer.isBuffer(view)) {
      this.chunk(BUFFER, bytes);
      return;
    }
    const number = VIEWS.findIndex((name) => toStringTag.call(view) === `[object ${name}]`);
    if (number < 0) throw new Unclonable(`a view of an ArrayBuffer of an unknown kind, ${toStringTag.call(view)},`);
    this.byte(VIEW);
    this.chunk(number, bytes);
  }

  chunk(kind, chunk) {
    this.reserve(chunk.length);
    this.count(kind, chunk.length);
    this.scratch.bytes.set(chunk, this.at);
    this.at += chunk.length;
    this.reserve(0);
  }
}

/** Whatever its `valueOf` was replaced by. */
function primitiveOf(object) {
  if (types.isNumberObject(object)) return Number.prototype.valueOf.call(object);
  if (types.isStringObject(object)) return String.prototype.valueOf.call(object);
  if (types.isBooleanObject(object)) return Boolean.prototype.valueOf.call(object);
  if (types.isBigIntObject(object)) return BigInt.prototype.valueOf.call(object);
  throw new Unclonable('a symbol');
}

module.exports.StructuredEncoder = StructuredEncoder;
module.exports.Unclonable = Unclonable;
