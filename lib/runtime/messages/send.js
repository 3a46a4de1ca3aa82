/**
 * What an agent sends: the arguments checked, the data encoded.
 */
'use strict';

const { aborted, checkSignal } = require('./abortable');
const { badArgument, checkMethod, optionsObject } = require('../../options/arguments');
const { milliseconds } = require('../../options/checks');
const { ASK } = require('../../options/table');
const { hasUnknown } = require('../../options/unknown');
const { encode } = require('../../payload/payload');
const { STRUCTURED } = require('../../payload/codec');

const checkTimeout = milliseconds(1);

/** `option`: `{timeout, signal}`, or nothing. `codec`: of the worker's class, where that has one. `recipe`: what the worker is made from, if it may be. */
function ask(core, workerId, method, data, option, codec, recipe) {
  checkMethod(method);
  if (option === undefined || option === null) {
    if (isOption(data)) core.reporter.caution('ask() with options as data', misplaced(method, data), 'DW_WARN_MISPLACED_OPTION');
    const channel = core.started();
    const payload = encodeData(core, data, codec);
    return channel.ask(workerId, method, payload.data, payload.form + tagOf(recipe, channel), core.config.rpcTimeout, undefined);
  }
  const given = optionsObject('option of ask()', option);
  core.reporter.checkNames('ask()', ASK, given);
  const { timeout, signal } = given;
  const limit = timeout === undefined ? core.config.rpcTimeout : checkTimeout(timeout, 'option.timeout');
  if (signal !== undefined) checkSignal(signal);
  const channel = core.started();
  const payload = encodeData(core, data, codec);
  if (signal !== undefined && signal.aborted) throw aborted(workerId, 'no', signal);
  return channel.ask(workerId, method, payload.data, payload.form + tagOf(recipe, channel), limit, signal);
}

/** Data that holds an option of `ask()` and nothing else. */
function isOption(data) {
  if (typeof data !== 'object' || data === null || (data.timeout === undefined && data.signal === undefined)) return false;
  return (typeof data.timeout === 'number' || data.signal instanceof AbortSignal) && !hasUnknown(ASK, data);
}

function misplaced(method, data) {
  const names = Object.keys(data).join(', ');
  return `ask('${method}') was given {${names}} as its data. Options are the third argument: ask('${method}', undefined, {${names}}).`;
}

function tell(core, workerId, method, data, codec, recipe) {
  checkMethod(method);
  const channel = core.started();
  const payload = encodeData(core, data, codec);
  return channel.tell(workerId, method, payload.data, payload.form + tagOf(recipe, channel));
}

/** What stands beside the form of a message of an agent that makes its worker from `recipe`. */
function tagOf(recipe, channel) {
  return recipe === undefined ? 0 : recipe.tagFor(channel);
}

/** What the core takes of the data of a message; throws where that cannot be sent. */
function encodeData(core, data, codec) {
  const structured = codec === undefined ? core.structured : codec === STRUCTURED;
  try {
    return encode(data, structured, core.config.maxMessageBytes);
  } catch (error) {
    throw notEncoded(structured, data, error);
  }
}

function notEncoded(structured, data, error) {
  return unsendable(structured ? 'a value that the structured clone algorithm takes' : 'a value that JSON can express', 'data', data, error);
}

/** `undefined` stays so; throws where the value cannot be said in JSON. */
function toJson(name, value) {
  if (value === undefined) return undefined;
  try {
    return JSON.stringify(value);
  } catch (error) {
    throw unsendable('a value that JSON can express', name, value, error);
  }
}

function unsendable(what, name, value, error) {
  const wrong = badArgument(what, name, value);
  wrong.message += ` (${String(error?.message).split('\n', 1)[0]})`;
  wrong.cause = error;
  return wrong;
}

module.exports.ask = ask;
module.exports.tell = tell;
module.exports.toJson = toJson;
