'use strict';

const { Broker } = require('../..');
const { echo } = require('./classes');
const { LateRedis } = require('./late-redis');
const { Member } = require('./members');
const { until } = require('../../support/wait');

const AT_ONCE = 3;
/** Calls that must have been answered while a broker joined, so that it joined under load. */
const CALLS_PER_JOIN = 20;
let systems = 0;

/**
 * Lets brokers join one after the other, each in a process of its own and with a Redis that answers late, while another
 * broker creates workers, asks them and ends them without pause. All but the last few leave again.
 *
 * @param {Object} t what ends the processes: see `atEnd`
 * @param {{server: Object, joins: number, delay: number}} option `delay`: ms
 * @returns {Promise<{answered: number, failed: string[]}>}
 */
async function joinUnderLoad(t, { server, joins, delay }) {
  const ns = `joins${(systems += 1)}`;
  const late = await LateRedis.start(server.port, delay);
  const caller = new Broker('caller', { ns, redis: server.url, clustername: 'callers' });
  caller.registerWorker('Room', echo('Room'), { clustername: 'main' });
  const outcome = { answered: 0, failed: [] };
  const members = [];
  let calling = true;
  let made = 0;
  const call = async () => {
    while (calling) {
      made += 1;
      const room = caller.createWorker('Room', { id: `room${made}`, attributes: { recoverable: true } });
      await room.then((agent) => agent.ask('echo', 1).then(() => agent.ask('end'))).then(
        () => (outcome.answered += 1),
        ({ code, message }) => outcome.failed.push(`${code}: ${message}`)
      );
    }
  };
  try {
    await caller.start();
    // One that is there all the time, so that no call finds the cluster empty.
    await Member.start(t, 'first', { ns, redis: server.url });
    const calls = Array.from({ length: AT_ONCE }, call);
    for (let number = 1; number <= joins; number += 1) {
      const before = outcome.answered;
      members.push(await Member.start(t, `joiner${number}`, { ns, redis: late.url }));
      await until('calls are answered', () => outcome.answered + outcome.failed.length >= before + CALLS_PER_JOIN);
      if (members.length > AT_ONCE) await members.shift().call('destroy');
    }
    calling = false;
    await Promise.all(calls);
  } finally {
    calling = false;
    await caller.destroy({ noRecover: true });
    caller.quit();
    late.close();
  }
  return outcome;
}

module.exports = { joinUnderLoad };
