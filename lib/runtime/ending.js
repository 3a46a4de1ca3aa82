/**
 * `agent.destroy()`: ends a worker from outside, without waking it.
 */
'use strict';

const { FORM } = require('../protocol');
const { failure } = require('../base/errors');
const { closedGate, gates } = require('./data/gates');
const { sendLater } = require('./messages/held');
const { monotonicClock, setTimeout } = require('../base/timers');

/** The method of the ask that ends a worker in its turn. No application can send it: names of methods have no such letter. */
const END = '\u0000end';

/** Between two looks whether the worker is gone, ms. */
const POLL = 10;

/**
 * Resolves when there is no worker of this id any more, or a new one.
 *
 * @param {Core} core
 * @param {string} id
 */
function endWorker(core, id) {
  const cell = gates.count > 0 ? closedGate() : undefined;
  return cell === undefined ? end(core, id) : sendLater(core.started(), cell, () => end(core, id));
}

async function end(core, id) {
  const { rpcTimeout } = core.config;
  const deadline = monotonicClock() + rpcTimeout;
  const erase = (epoch) => core.started().call((native, slot) => native.erase(slot, id, epoch));
  for (let found = await erase(''); found !== null; found = await erase('')) {
    const ended = await askToEnd(core, id, Math.max(deadline - monotonicClock(), 1));
    const { epoch } = found;
    while (ended && found !== null && found.epoch === epoch) {
      await late(deadline, id);
      found = await erase(epoch);
    }
    if (ended) return;
    await late(deadline, id);
  }
}

/** `false`: it was not there, and may be asleep or somewhere else now. */
async function askToEnd(core, id, timeout) {
  try {
    await core.started().askNow(id, END, undefined, FORM.JSON_TEXT, Math.ceil(timeout), undefined);
    return true;
  } catch (error) {
    if (error.code !== 'DW_ERR_WORKER_NOT_FOUND') throw error;
    return false;
  }
}

async function late(deadline, id) {
  if (monotonicClock() >= deadline) throw failure('DW_ERR_TIMEOUT', `The worker "${id}" did not end in time.`);
  await new Promise((resolve) => setTimeout(resolve, POLL));
}

module.exports.END = END;
module.exports.endWorker = endWorker;
