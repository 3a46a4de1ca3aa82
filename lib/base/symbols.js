/**
 * Names of the private state that the package keeps on the application's objects.
 */
'use strict';

/** On a Broker: its core (lib/runtime/core.js). */
const kCore = Symbol('dworker.core');
/** On an Agent: the codec of its worker's class (lib/payload/codec.js). */
const kCodec = Symbol('dworker.codec');
/** On an Agent that `broker.get()` made: what its worker is made from (lib/runtime/recipes.js). */
const kRecipe = Symbol('dworker.recipe');
/** On a Worker: its record (lib/worker.js). */
const kRecord = Symbol('dworker.record');

/**
 * Sets a property that neither a loop nor `JSON.stringify` nor `console.log` shows.
 */
function hide(object, name, value) {
  Object.defineProperty(object, name, { value, writable: true, configurable: true, enumerable: false });
}

module.exports.kCore = kCore;
module.exports.kCodec = kCodec;
module.exports.kRecipe = kRecipe;
module.exports.kRecord = kRecord;
module.exports.hide = hide;
