/**
 * What an agent sends: the arguments checked, the data as JSON text.
 */
'use strict';

const { badArgument, checkMethod } = require('./arguments');

function ask(core, workerId, method, data) {
  checkMethod(method);
  return core.started().ask(workerId, method, toJson('data', data), core.config.rpcTimeout);
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
