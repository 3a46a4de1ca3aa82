/**
 * Members of a worker class that are probably misspelt ones of `Worker`.
 */
'use strict';

const { nearest } = require('../options/unknown');
const { Worker } = require('../worker');

const HANDLERS = ['onCreate', 'onAsk', 'onTell', 'onDestroy'];
/** In names of at least this length, one wrong letter is a misspelling and not another word. */
const LONG_NAME = 8;
const STATICS = ['classname', 'clustername', 'agent', 'concurrency', 'maxQueue', 'methods', 'input'];

/**
 * @param {Function} WorkerClass
 * @returns {string[]} one sentence for each
 */
function slipsOf(WorkerClass) {
  const members = namesUpTo(WorkerClass.prototype, Worker.prototype);
  const statics = namesUpTo(WorkerClass, Worker);
  return [
    ...slips(members, HANDLERS).map(([name, meant]) => `Worker class ${WorkerClass.name} has a method ${name}. Did you mean ${meant}?`),
    ...slips(statics, STATICS).map(([name, meant]) => `Worker class ${WorkerClass.name} has a static ${name}. Did you mean ${meant}?`),
  ];
}

/** A class that has the right name too means what it wrote. */
function slips(names, known) {
  return [...names]
    .filter((name) => !known.includes(name) && !(name in Function.prototype))
    .map((name) => [name, meantBy(name, known)])
    .filter(([, meant]) => meant !== undefined && !names.has(meant));
}

/** Another case, swapped letters, or one letter wrong in a long name. `onAck` and `onTask` are names of their own. */
function meantBy(name, known) {
  const swapped = known.find((each) => letters(each) === letters(name));
  return swapped ?? nearest(name, known.filter((each) => each.length >= LONG_NAME), 1);
}

function letters(name) {
  return [...name.toLowerCase()].sort().join('');
}

function namesUpTo(object, end) {
  const names = new Set();
  for (let at = object; at !== null && at !== end && at !== Function.prototype; at = Object.getPrototypeOf(at)) {
    for (const name of Object.getOwnPropertyNames(at)) names.add(name);
  }
  return names;
}

module.exports.slipsOf = slipsOf;
