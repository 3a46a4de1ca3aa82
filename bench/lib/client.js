/** What every system's client process can be asked for: the loads, over that system's own calls. */
'use strict';

const { serve } = require('./serve');
const { load } = require('./load');
const { bursts } = require('./burst');
const { payload } = require('./payload');

/**
 * @param system `{connect(args), ask(data, done), tell(data, done), askLocal(data, done), …}`: `done(error, answer)`.
 *   What a system lacks it leaves out. `more` holds operations of this system alone.
 */
function serveClient(system, more = {}) {
  serve({
    connect: (args) => system.connect(args),
    asks: (args) => echo(system.ask, args),
    local: (args) => echo(system.askLocal, args),
    tells: (args) => {
      const data = payload(args.size, args.seed);
      return bursts((done) => system.tell(data, done), args);
    },
    ...more,
  });
}

async function echo(ask, args) {
  const data = payload(args.size, args.seed);
  await new Promise((resolve, reject) => {
    ask(data, (error, answer) => {
      if (error) reject(error);
      else if (answer !== data) reject(new Error(`the echo of ${args.size} bytes differs from what was sent`));
      else resolve();
    });
  });
  return load((done) => ask(data, done), args);
}

module.exports = { serveClient };
