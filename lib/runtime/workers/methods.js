/**
 * Which methods of a worker may be called by their names: `static methods` and `static input` of its class.
 */
'use strict';

const { badArgument, fits } = require('../../options/arguments');
const { isThenable } = require('../../base/promises');
const { LIMIT } = require('../../protocol');

/** Of these an agent's `call` can have no function: `await` and `JSON.stringify` would call it. */
const NEVER = ['then', 'toJSON'];
/** Members of `Worker` that are newer than declared methods: a class that has such a method of its own may declare it. */
const NEWER = ['data', 'keepAwake', 'save', 'schedule', 'touch'];
/** Issues of a refused input that its error carries, and those that its message repeats. */
const MOST_ISSUES = 64;
const ISSUES_SHOWN = 3;

/** What {@link readMethods} found, by class: every activation needs it. */
const found = new WeakMap();

/**
 * The methods that the class declares, each with its schema or `null`; `null` where the class declares none. A static of another
 * shape is the application's own and declares nothing.
 *
 * @param {Function} WorkerClass
 * @param {Function} Worker the base class
 * @returns {?Map<string, ?Object>}
 * @throws {Error} with `DW_ERR_CONFIG` where a name cannot be called or a schema is none. A class with an `onAsk` of its own may have had
 *   such statics for itself, and is left alone
 */
function readMethods(WorkerClass, Worker) {
  const declared = declaredMethods(WorkerClass, Worker);
  found.set(WorkerClass, declared);
  return declared;
}

/** What {@link readMethods} said of the class, which it may not have been asked yet. */
function methodsOf(WorkerClass, Worker) {
  const declared = found.get(WorkerClass);
  return declared === undefined ? readMethods(WorkerClass, Worker) : declared;
}

function declaredMethods(WorkerClass, Worker) {
  const { methods, input } = WorkerClass;
  const listed = Array.isArray(methods) && methods.every((name) => typeof name === 'string');
  if (methods !== true && !listed) return null;
  const strict = WorkerClass.prototype.onAsk === Worker.prototype.onAsk;
  const names = listed ? methods : ownMethods(WorkerClass.prototype, Worker);
  const declared = new Map();
  for (const name of names) {
    if (isCallable(name, WorkerClass.prototype, Worker)) declared.set(name, null);
    else if (strict) throw badArgument('names of methods of the class itself, other than then and toJSON,', 'static methods of the worker class', name);
  }
  if (strict) readInput(input, declared);
  return declared;
}

function isCallable(name, prototype, Worker) {
  return name !== '' && fits(name, LIMIT.METHOD_BYTES) && !NEVER.includes(name) && !isInherited(name, prototype, Worker);
}

/** Whether it is a member of `Worker`, and not one that the class has replaced. */
function isInherited(name, prototype, Worker) {
  return name in Worker.prototype && !(NEWER.includes(name) && prototype[name] !== Worker.prototype[name]);
}

/** The methods that `static methods = true` means. Accessors are not run. */
function ownMethods(prototype, Worker) {
  const own = Object.entries(Object.getOwnPropertyDescriptors(prototype));
  const functions = own.filter(([, { value }]) => typeof value === 'function').map(([name]) => name);
  return functions.filter((name) => isCallable(name, prototype, Worker) && !name.startsWith('_') && !/^on[A-Z]/.test(name));
}

function readInput(input, declared) {
  if (input === undefined || input === null) return;
  if (typeof input !== 'object') throw badArgument('an object', 'static input of the worker class', input);
  for (const [name, schema] of Object.entries(input)) {
    if (!declared.has(name)) throw badArgument('only names of declared methods', 'static input of the worker class', name);
    if (!isSchema(schema)) throw badArgument('a Standard Schema (of zod, valibot, arktype …)', `static input.${name} of the worker class`, schema);
    declared.set(name, schema['~standard']);
  }
}

/** See https://standardschema.dev. A schema may be a function. */
function isSchema(value) {
  const standard = value !== null && (typeof value === 'object' || typeof value === 'function') ? value['~standard'] : undefined;
  return standard !== null && typeof standard === 'object' && typeof standard.validate === 'function';
}

/**
 * Runs a declared method of the worker, after its schema has accepted the data.
 *
 * @param {WorkerRecord} record of a worker whose class declares methods
 * @returns {*} what the method returned, or a promise of it where the schema is asynchronous
 * @throws what the method threw; an Error where the method is not declared or the data is refused
 */
function callMethod(record, method, data) {
  const schema = record.methods.get(method);
  if (schema === null) return run(record, method, data);
  if (schema === undefined) throw undeclared(record, method);
  const result = schema.validate(data);
  if (!isThenable(result)) return run(record, method, accepted(record, method, result));
  return Promise.resolve(result).then((settled) => run(record, method, accepted(record, method, settled)));
}

function run({ worker, className }, method, data) {
  if (typeof worker[method] !== 'function') throw new TypeError(`Worker class ${className} declares the method ${method} but has no function of this name`);
  return worker[method](data);
}

function undeclared({ className, methods }, method) {
  const known = methods.size === 0 ? 'It declares none' : `It declares ${[...methods.keys()].join(', ')}`;
  return new Error(`Worker class ${className} declares no method ${JSON.stringify(method)}. ${known}.`);
}

/** The value that the schema made of the data. */
function accepted({ className }, method, { issues, value }) {
  if (issues === undefined || issues === null) return value;
  const list = [...issues].slice(0, MOST_ISSUES).map(({ message, path }) => ({ message: String(message), path: [...(path ?? [])].map(keyOf) }));
  const shown = list.slice(0, ISSUES_SHOWN).map(({ message, path }) => (path.length === 0 ? message : `${path.join('.')}: ${message}`));
  const more = issues.length > ISSUES_SHOWN ? ` (and ${issues.length - ISSUES_SHOWN} more)` : '';
  const error = new Error(`The input of ${className}.${method} was refused: ${shown.join('; ')}${more}`);
  error.name = 'InputError';
  throw Object.assign(error, { issues: list });
}

/** A segment of a path is a key, or an object that holds it. */
function keyOf(segment) {
  const key = segment !== null && typeof segment === 'object' ? segment.key : segment;
  return typeof key === 'number' ? key : String(key);
}

module.exports.callMethod = callMethod;
module.exports.methodsOf = methodsOf;
module.exports.readMethods = readMethods;
