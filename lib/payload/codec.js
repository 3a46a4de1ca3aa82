/**
 * By which codec messages travel: what the class of the worker says, else the broker's option.
 */
'use strict';

const JSON_CODEC = 'json';
const STRUCTURED = 'structured';

/** The codec of a class; `undefined` where it has none, or a property of that name means something else. */
function codecOf({ codec }) {
  return codec === JSON_CODEC || codec === STRUCTURED ? codec : undefined;
}

/** Whether the answers of workers of this class go by the codec `'structured'`. */
function isStructured(WorkerClass, core) {
  const codec = codecOf(WorkerClass);
  return codec === undefined ? core.structured : codec === STRUCTURED;
}

module.exports.JSON_CODEC = JSON_CODEC;
module.exports.STRUCTURED = STRUCTURED;
module.exports.codecOf = codecOf;
module.exports.isStructured = isStructured;
