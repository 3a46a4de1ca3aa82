/** What every system's client process can be asked for: the loads, over that system's own calls. */
'use strict';

const { serve } = require('./serve');
const { load } = require('./load');
const { bursts } = require('./burst');
const { isDeepStrictEqual } = require('node:util');
const { payload, rawPayload } = require('./payload');

/**
 * @param system `{connect(args), ask(data, done), tell(data, done), askLocal(data, done), …}`: `done(error, answer)`.
 *   What a system lacks it leaves out. `raw`: it carries text alone, so that it gets the value's JSON text.
 *   `more` holds operations of this system alone.
 */
function serveClient(system, more = {}) {
  serve({
    connect: (args) => system.connect(args),
    asks: (args) => echo(system.ask, valueFor(system, args), args),
    local: (args) => echo(system.askLocal, valueFor(system, args), args),
    tells: (args) => {
      const data = valueFor(system, args);
      return bursts((done) => system.tell(data, done), args);
    },
    ...more,
  });
}

function valueFor(system, { kind, size, seed }) {
  return (system.raw ? rawPayload : payload)(kind, size, seed);
}

/** Whether an answer is the data, or what JSON makes of it: a system without bytes of its own answers a `Buffer` by an array of numbers. */
function isSame(answer, data) {
  return isDeepStrictEqual(answer, data) || (Buffer.isBuffer(data) && isDeepStrictEqual(answer, data.toJSON()));
}

async function echo(ask, data, args) {
  await new Promise((resolve, reject) => {
    ask(data, (error, answer) => {
      if (error) reject(error);
      else if (!isSame(answer, data)) reject(new Error(`the echo of ${args.kind} ${args.size} differs from what was sent`));
      else resolve();
    });
  });
  return load((done) => ask(data, done), args);
}

module.exports = { serveClient };
