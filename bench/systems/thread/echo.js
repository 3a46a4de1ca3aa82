/** The other thread: an echo, and a count of what needs no answer. */
'use strict';

const { parentPort } = require('node:worker_threads');

parentPort.on('message', (message) => parentPort.postMessage(message));
