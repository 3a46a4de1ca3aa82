'use strict';

/**
 * Random faults under load, in rounds: each begins with a fresh world and its own seed, so that one that fails can be
 * repeated (`--nemesis 1s --seed <that seed>` is one round).
 */

const { sleep } = require('../../support/wait');
const { actions } = require('./nemesis-actions');
const { now } = require('./history');
const { once } = require('./once');
const { say } = require('./table');
const { Proxy } = require('./tools/proxy');

const BROKERS = 4;
const RATE = 60;
const ROUND_MS = 45000;
/** What a busy machine can cause too: late settles, memory, a round that could not be run. */
const OF_THE_MACHINE = /^(I4|I9|run)/;
const AT_ONCE = 2;
/** Rest after the last healing: a lease that ran out, its eviction, and what recovers then. */
const REST_MS = 9000;
const WITHIN_MS = 9000;

/** A round without the actions of these names. */
const round = (without) => async (world, figures) => {
  const possible = actions.filter(({ name }) => !without.includes(name));
  await world.redis();
  const links = [];
  for (let n = 0; n < BROKERS; n += 1) links.push(await new Proxy(world.server.port).listen());
  world.undo.push(() => links.forEach((link) => link.close()));
  const option = (n) => ({ redis: `redis://127.0.0.1:${links[n].port}` });
  await world.system({ brokers: BROKERS, recoverable: 300, others: 60, option });
  await world.load(RATE);
  /** `link` and `option` of a broker by its id, which is `b` and a number. */
  const number = ({ id }) => Number(id.slice(1));
  const state = {
    world, random: world.random, rate: RATE, busy: new Set(),
    link: (broker) => links[number(broker)], option: (broker) => option(number(broker)),
  };
  const begun = [];
  const done = [];
  const end = now() + ROUND_MS;
  while (now() < end) {
    await sleep(world.random.between(200, 2500));
    const action = world.random.pick(possible);
    if (action.alone) await Promise.all(begun.splice(0));
    if (begun.length >= AT_ONCE) await Promise.race(begun);
    world.fault(action.name);
    done.push(action.name);
    const work = action.run(state).finally(() => begun.includes(work) && begun.splice(begun.indexOf(work), 1));
    begun.push(work);
    if (action.alone) {
      await work;
      await sleep(REST_MS);
    }
  }
  await Promise.all(begun);
  world.heal();
  await sleep(REST_MS);
  figures.equal('brokers at the end', world.alive.length, BROKERS);
  figures.note('faults', done.length);
  return { within: WITHIN_MS };
};

/** @returns {Promise<object[]>} a row for each round */
async function nemesis(milliseconds, seed, option) {
  const end = now() + milliseconds;
  const variants = { round: round((option.without || '').split(',')) };
  const fault = { number: 'nemesis', title: 'random faults', target: 'I1 to I9', variants };
  const rows = [];
  for (let n = 0; n === 0 || now() < end; n += 1) {
    const row = await once({ fault, variant: 'round', seed: seed + n }, option);
    rows.push(row);
    say(row);
    if (option['until-violation'] && row.violations.some((text) => !OF_THE_MACHINE.test(text))) break;
  }
  return rows;
}

module.exports = { nemesis, OF_THE_MACHINE };
