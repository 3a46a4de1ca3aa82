/**
 * The layout of payloads that are neither JSON text nor plain bytes. Numbers are big endian.
 *
 * ```text
 * u8 flags (1: the texts are UTF-16)   u32 length of flags, length and value   value   texts
 * ```
 * A value begins with a byte below: 0 to 127 is that integer, `SHORT + n` a string of n UTF-16 units, which are the next ones of the texts.
 * All short strings and names of properties are in the texts, so that one call reads them. An object is a record: `DEFINE` lists its
 * names and gives the record the next number, `RECORD` repeats one by its number. An object with many names is an `OBJECT` of pairs.
 *
 * Two encodings share the layout. `packed` says what JSON says: `UNDEFINED` in an object is a property that is left out, in an
 * array it is `null`. `structured` has all kinds of values; objects are numbered in the order in which they begin, and `REFERENCE`
 * names one that came before.
 */
'use strict';

/** Bytes before the value. */
module.exports.HEADER = 5;
module.exports.TEXTS_ARE_UTF16 = 1;

/** Longest string that is put among the texts. V8 copies a part of a string up to this length; a longer one would keep all of it. */
module.exports.LONGEST_SHORT = 12;
/** Most names of a record, and most records. */
module.exports.MOST_NAMES = 32;
module.exports.MOST_RECORDS = 64;
/** Longest name of a property in a record: its length is one byte. */
module.exports.LONGEST_NAME = 255;

module.exports.NULL = 0x80;
module.exports.FALSE = 0x81;
module.exports.TRUE = 0x82;
module.exports.UNDEFINED = 0x83;
module.exports.INT8 = 0x84;
module.exports.INT16 = 0x85;
module.exports.INT32 = 0x86;
module.exports.DOUBLE = 0x87;
/** Strings by themselves: u32 bytes, the bytes. */
module.exports.ASCII = 0x88;
module.exports.UTF8 = 0x89;
module.exports.UTF16 = 0x8a;
/** u32 length, the elements. */
module.exports.ARRAY = 0x8b;
/** u8 names, u8 length of each, the values. */
module.exports.DEFINE = 0x8c;
/** u8 number of the record, the values. */
module.exports.RECORD = 0x8d;
/** u32 properties, then name (a string) and value of each. */
module.exports.OBJECT = 0x8e;

/** The first that `structured` alone has. */
module.exports.STRUCTURED = 0x90;
/** u32 number of the object. */
module.exports.REFERENCE = 0x90;
/** A number as the value of a `Date`. */
module.exports.DATE = 0x91;
/** u32 entries, then key and value of each. */
module.exports.MAP = 0x92;
/** u32 values, the values. */
module.exports.SET = 0x93;
/** Its hexadecimal digits as a string, with a minus sign before them. */
module.exports.BIGINT = 0x94;
/** A `Buffer`: u32 bytes, the bytes. */
module.exports.BUFFER = 0x95;
/** The place in VIEWS, u32 bytes, the bytes. */
module.exports.VIEW = 0x96;
/** u32 bytes, the bytes. */
module.exports.ARRAY_BUFFER = 0x97;
/** Source and flags, both strings. */
module.exports.REGEXP = 0x98;
/** The place in ERRORS, message (a string, or undefined), cause. */
module.exports.ERROR = 0x99;
/** An object around the primitive that follows. */
module.exports.BOXED = 0x9a;
/** Of an array: no element here. */
module.exports.HOLE = 0x9b;

module.exports.SHORT = 0xa0;

/** Names of the views of an `ArrayBuffer`, by their number in the format. */
module.exports.VIEWS = [
  'Int8Array', 'Uint8Array', 'Uint8ClampedArray', 'Int16Array', 'Uint16Array', 'Int32Array', 'Uint32Array',
  'Float32Array', 'Float64Array', 'BigInt64Array', 'BigUint64Array', 'DataView', 'Float16Array',
];
/** Names of the errors that keep their class, by their number in the format. */
module.exports.ERRORS = ['Error', 'EvalError', 'RangeError', 'ReferenceError', 'SyntaxError', 'TypeError', 'URIError'];
