/**
 * What a worker class declares about its data: `static data`.
 */
'use strict';

const { badArgument } = require('../../options/arguments');
const { failure } = require('../../base/errors');

/** Versions are numbers of 32 bits in the core. */
const MAX_VERSION = 2 ** 32 - 1;
const MAX_FLUSH_MS = 60_000;
const DEFAULT_FLUSH_MS = 200;
/** Bytes of JSON that the data of a worker takes at most, where the class sets no other limit. */
const DEFAULT_MAX_BYTES = 1024 * 1024;
/** When a change is written, and what waits for it. */
const MODES = ['gate', 'behind', 'manual'];
const FIELDS = ['version', 'initial', 'migrate', 'save', 'flush', 'mutable', 'maxBytes'];

/** Of a worker that has timers and whose class has no static data. */
const NO_DATA = Object.freeze({ hasData: false, version: 0, save: 'gate', flush: DEFAULT_FLUSH_MS, mutable: false, maxBytes: DEFAULT_MAX_BYTES });

/** What {@link readDeclaration} found, by class: every activation needs it. */
const found = new WeakMap();

/**
 * The declaration of the class with its defaults; `null` where the class has none. A static of another shape is the application's own.
 *
 * @param {Function} WorkerClass
 * @param {Function} Worker the base class
 * @returns {?object}
 * @throws {Error} with `DW_ERR_CONFIG`
 */
function readDeclaration(WorkerClass, Worker) {
  const declared = declarationOf(WorkerClass, Worker);
  found.set(WorkerClass, declared);
  return declared;
}

/** What {@link readDeclaration} said of the class, which it may not have been asked yet. */
function dataOf(WorkerClass, Worker) {
  const declared = found.get(WorkerClass);
  return declared === undefined ? readDeclaration(WorkerClass, Worker) : declared;
}

function declarationOf(WorkerClass, Worker) {
  const { data } = WorkerClass;
  if (!isDeclaration(data)) return null;
  checkPrototype(WorkerClass, Worker);
  for (const name of Object.keys(data)) {
    if (!FIELDS.includes(name)) throw badArgument(`one of ${FIELDS.join(', ')}`, 'name of a field of static data', name);
  }
  const { version, initial, migrate, save = 'gate', flush = DEFAULT_FLUSH_MS, mutable = false, maxBytes = DEFAULT_MAX_BYTES } = data;
  if (version < 0 || version > MAX_VERSION) throw badArgument(`an integer from 0 to ${MAX_VERSION}`, 'static data.version', version);
  if (migrate !== undefined && typeof migrate !== 'function') throw badArgument('a function', 'static data.migrate', migrate);
  if (!MODES.includes(save)) throw badArgument(`one of ${MODES.map((mode) => `'${mode}'`).join(', ')}`, 'static data.save', save);
  if (!isWithin(flush, MAX_FLUSH_MS)) throw badArgument(`an integer from 1 to ${MAX_FLUSH_MS}`, 'static data.flush', flush);
  if (typeof mutable !== 'boolean') throw badArgument('a boolean', 'static data.mutable', mutable);
  if (!isWithin(maxBytes, Number.MAX_SAFE_INTEGER)) throw badArgument('a positive integer', 'static data.maxBytes', maxBytes);
  return Object.freeze({ hasData: true, version, initial, migrate, save, flush, mutable, maxBytes });
}

/** The exact shape that opts a class in. */
function isDeclaration(data) {
  if (data === null || typeof data !== 'object') return false;
  const prototype = Object.getPrototypeOf(data);
  const plain = prototype === null || prototype === Object.prototype;
  return plain && Number.isInteger(data.version) && typeof data.initial === 'function';
}

/** A member `data` of the class would hide the one that `static data` gives it. */
function checkPrototype(WorkerClass, Worker) {
  for (let { prototype } = WorkerClass; prototype !== Worker.prototype; prototype = Object.getPrototypeOf(prototype)) {
    if (Object.hasOwn(prototype, 'data')) throw hidesData(WorkerClass.name, 'a member');
  }
}

function hidesData(className, what) {
  return failure('DW_ERR_CONFIG', `Worker class ${className} has static data and ${what} named data, which hides the data of its workers. Rename it.`);
}

function isWithin(value, max) {
  return Number.isInteger(value) && value >= 1 && value <= max;
}

module.exports.NO_DATA = NO_DATA;
module.exports.dataOf = dataOf;
module.exports.hidesData = hidesData;
module.exports.readDeclaration = readDeclaration;
