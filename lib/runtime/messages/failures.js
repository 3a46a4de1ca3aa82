/**
 * How an error crosses from a handler to its caller.
 *
 * On the wire it is `{"name", "message", "code"?, …own properties, "cause"?, "stack"?}`. Nothing that a handler throws, however
 * odd, may keep its caller from an answer, so whatever cannot be read or written as JSON is left out.
 */
'use strict';

const { CODES, failure } = require('../../base/errors');

/** How deep causes are followed: deeper ones are left out, a cycle among them. */
const MAX_CAUSES = 4;
/** Characters of a handler's stack that its caller receives. An error that went through several workers carries the stack of each. */
const MAX_STACK = 8192;
/** A stack takes at most this part of the largest message: there must be room for the rest of the error. */
const STACKS_PER_MESSAGE = 8;
/** Own properties that never cross as they are. */
const RESERVED = new Set(['name', 'message', 'stack', 'remoteStack', 'code', 'delivered', 'cause', '__proto__', 'constructor']);

/**
 * What a handler failed with, as plain JSON-able data. `code` is the handler's own; one of the package's becomes
 * `DW_ERR_REJECTED` and the error itself the `cause`, so that a caller's retries never take it for the outcome of
 * their own call.
 */
function describe(reason) {
  const body = plain(reason, MAX_CAUSES);
  return isOwnCode(body.code) ? { ...body, code: 'DW_ERR_REJECTED', delivered: undefined, cause: body } : body;
}

/** The same for an error of the package that is the outcome of the call itself, and keeps its code. */
function describeOwn(error) {
  return plain(error, MAX_CAUSES);
}

/** The stack of a handler's error, cut to the length that callers receive; `undefined` if it has none. */
function stackOf(reason, maxMessageBytes) {
  try {
    const { stack } = reason;
    return typeof stack === 'string' ? stack.slice(0, Math.min(MAX_STACK, Math.floor(maxMessageBytes / STACKS_PER_MESSAGE))) : undefined;
  } catch {
    return undefined;
  }
}

function isOwnCode(code) {
  return typeof code === 'string' && code.startsWith('DW_ERR_');
}

function plain(reason, depth) {
  try {
    if (reason !== null && (typeof reason === 'object' || typeof reason === 'function')) return plainObject(reason, depth);
    return { name: 'Error', message: typeof reason === 'string' ? reason : `The handler rejected with ${String(reason)}` };
  } catch {
    return { name: 'Error', message: 'The handler rejected with a value that cannot be read' };
  }
}

function plainObject(reason, depth) {
  const body = {
    name: typeof reason.name === 'string' && typeof reason !== 'function' ? reason.name : 'Error',
    message: typeof reason.message === 'string' ? reason.message : messageOf(reason),
  };
  const { code } = reason;
  if (typeof code === 'string' || Number.isFinite(code)) body.code = code;
  for (const key of Object.keys(reason)) {
    if (RESERVED.has(key)) continue;
    const value = jsonCopy(() => reason[key]);
    if (value !== undefined) body[key] = value;
  }
  if (isOwnCode(code) && typeof reason.delivered === 'string') body.delivered = reason.delivered;
  const cause = depth > 0 ? causeOf(reason, depth) : undefined;
  if (cause !== undefined) body.cause = cause;
  return body;
}

function messageOf(reason) {
  const text = jsonCopy(() => JSON.stringify(reason));
  return `The handler rejected with ${text === undefined ? String(reason) : text}`;
}

function causeOf(reason, depth) {
  const { cause } = reason;
  if (cause === undefined) return undefined;
  return cause instanceof Error ? plain(cause, depth - 1) : jsonCopy(() => cause);
}

/** A copy through JSON of what `read` gives, `undefined` where there is none. */
function jsonCopy(read) {
  try {
    const text = JSON.stringify(read());
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * The caller's error: the core's own if no handler failed, else the handler's, with the `delivered` of the transport.
 *
 * @param {string} code
 * @param {'no'|'unknown'|'yes'} delivered
 * @param {string} message
 * @param {object} [body] what {@link describe} made
 * @returns {Error}
 */
function rebuild(code, delivered, message, body) {
  if (body === undefined || body === null || typeof body !== 'object') return failure(code, message, delivered);
  const error = errorFrom(body, MAX_CAUSES + 1);
  if (error.code === undefined) error.code = code;
  error.delivered = delivered;
  if (typeof body.stack === 'string') showStack(error, body.stack);
  return error;
}

/** As `stack`, it is no enumerable property: JSON and comparisons leave it out. */
function showStack(error, remoteStack) {
  Object.defineProperty(error, 'remoteStack', { value: remoteStack, writable: true, configurable: true });
  error.stack = `${error.stack}\n    -- in the handler:\n${remoteStack.replace(/^/gm, '    ')}`;
}

function errorFrom(body, depth) {
  const error = new Error(typeof body.message === 'string' ? body.message : '');
  if (typeof body.name === 'string' && body.name !== 'Error') hiddenName(error, body.name);
  if (typeof body.code === 'string' || typeof body.code === 'number') error.code = body.code;
  for (const key of Object.keys(body)) {
    if (!RESERVED.has(key)) error[key] = body[key];
  }
  if (Object.hasOwn(CODES, body.code) && typeof body.delivered === 'string') error.delivered = body.delivered;
  if (body.cause !== undefined && depth > 0) {
    Object.defineProperty(error, 'cause', { value: causeFrom(body.cause, depth), writable: true, configurable: true });
  }
  return error;
}

/** As in `class MyError`, where the name is no enumerable property of the error; the stack begins with it. */
function hiddenName(error, name) {
  Object.defineProperty(error, 'name', { value: name, writable: true, configurable: true });
  // Some versions of V8 write the stack's first line when the error is made, others when it is first read.
  const { stack } = error;
  if (/^Error(:|\n|$)/.test(stack)) error.stack = name + stack.slice('Error'.length);
}

/** JSON does not say what was an `Error`: what has its name and its message is taken for one. */
function causeFrom(cause, depth) {
  const isError = cause !== null && typeof cause === 'object' && typeof cause.name === 'string' && typeof cause.message === 'string';
  return isError ? errorFrom(cause, depth - 1) : cause;
}

module.exports.describe = describe;
module.exports.describeOwn = describeOwn;
module.exports.stackOf = stackOf;
module.exports.rebuild = rebuild;
