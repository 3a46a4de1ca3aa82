/** `postMessage` between two threads of one process: the line for one machine. Values are cloned, not turned into JSON. */
'use strict';

const path = require('node:path');
const { Worker } = require('node:worker_threads');
const { serveClient } = require('../../lib/client');

const waiting = new Map();
let calls = 0;
let thread;

serveClient({
  connect() {
    thread = new Worker(path.join(__dirname, 'echo.js'));
    thread.on('message', ({ call, data }) => {
      const done = waiting.get(call);
      waiting.delete(call);
      done(null, data);
    });
  },
  ask(data, done) {
    const call = ++calls;
    waiting.set(call, done);
    thread.postMessage({ call, data });
  },
});
