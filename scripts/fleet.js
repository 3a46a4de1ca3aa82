'use strict';

/**
 * `npm run fleet [-- --only deaths,moves --brokers 32,64]`: what events cost a fleet of brokers in real processes, on a Redis server
 * of its own. Prints a table with the targets, and ends with 1 where one is missed. `--kinds` counts commands by kind, too.
 * `DWORKER_FLEET_BUILD` names another build.
 */

const { parseArgs } = require('node:util');
const measures = require('./support/fleet/measures');
const { starts } = require('./support/fleet/starts');
const { countKinds } = require('./support/fleet/fleets');
const { say, table } = require('./support/terminal');

/** What is measured, and with how many brokers unless others are given. */
const PLAN = {
  deaths: { sizes: [32, 64, 128], run: async (brokers) => [...await measures.death(brokers, 'kill'), ...await measures.death(brokers, 'freeze')] },
  recovery: { sizes: [64], run: measures.recovery },
  moves: { sizes: [16, 64], run: measures.moves },
  starts: { sizes: [128], run: starts },
  idle: { sizes: [64, 128], run: measures.idle },
  suspensions: { sizes: [160], run: async (brokers) => [...await measures.death(brokers, 'kill'), ...await measures.death(brokers, 'freeze')] },
};

const { values: given } = parseArgs({ options: { only: { type: 'string' }, brokers: { type: 'string' }, kinds: { type: 'boolean' } } });

async function main() {
  const names = given.only ? given.only.split(',') : Object.keys(PLAN);
  const unknown = names.filter((name) => !PLAN[name]);
  if (unknown.length > 0) throw new Error(`Expected --only to name some of ${Object.keys(PLAN).join(', ')} but received ${unknown.join(', ')}`);
  if (given.kinds) countKinds();
  const rows = [];
  for (const name of names) {
    for (const brokers of given.brokers ? given.brokers.split(',').map(Number) : PLAN[name].sizes) {
      say(`${name}: ${brokers} brokers`);
      rows.push(...await PLAN[name].run(brokers));
    }
  }
  const cells = rows.map(({ what, brokers, figure, target, met }) => [what, `${brokers}`, figure, target, met ? '' : 'missed']);
  console.log(table([['', 'brokers', 'figure', 'target', ''], ...cells]));
  process.exit(rows.every(({ met }) => met) ? 0 : 1);
}

main();
