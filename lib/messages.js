/**
 * What an agent sends: the arguments checked, the data as JSON text.
 */
'use strict';

const { aborted, checkSignal } = require('./abortable');
const { badArgument, checkMethod, optionsObject } = require('./arguments');
const { milliseconds } = require('./options/checks');

const checkTimeout = milliseconds(1);

/** `option`: `{timeout, signal}`, or nothing. */
function ask(core, workerId, method, data, option) {
  checkMethod(method);
  if (option === undefined || option === null) {
    return core.started().ask(workerId, method, toJson('data', data), core.config.rpcTimeout, undefined);
  }
  const { timeout, signal } = optionsObject('option of ask()', option);
  const limit = timeout === undefined ? core.config.rpcTimeout : checkTimeout(timeout, 'option.timeout');
  if (signal !== undefined) checkSignal(signal);
  const channel = core.started();
  const json = toJson('data', data);
  if (signal !== undefined && signal.aborted) throw aborted(workerId, 'no', signal);
  return channel.ask(workerId, method, json, limit, signal);
}

function tell(core, workerId, method, data) {
  checkMethod(method);
  return core.started().tell(workerId, method, toJson('data', data));
}

/** `undefined` stays so; throws where the value cannot be said in JSON. */
function toJson(name, value) {
  if (value === undefined) return undefined;
  try {
    return JSON.stringify(value);
  } catch (error) {
    const wrong = badArgument('a value that JSON can express', name, value);
    wrong.message += ` (${String(error.message).split('\n', 1)[0]})`;
    wrong.cause = error;
    throw wrong;
  }
}

module.exports.ask = ask;
module.exports.tell = tell;
module.exports.toJson = toJson;
