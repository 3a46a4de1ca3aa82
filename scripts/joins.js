'use strict';

/**
 * `npm run joins [-- --joins 100]`: brokers join one after the other while others call, with a Redis that answers 0, 5,
 * 20 and 50 ms late. Prints the failed calls of each delay, and ends with 1 where there was one.
 */

const { parseArgs } = require('node:util');
const { joinUnderLoad } = require('../__test__/helpers/joins');
const { startRedis } = require('../support/redis-server');

const { values: given } = parseArgs({ options: { joins: { type: 'string', default: '100' } } });
const DELAYS = [0, 5, 20, 50];

async function main() {
  const joins = Math.ceil(Number(given.joins) / DELAYS.length);
  const server = await startRedis();
  const ends = [];
  let failures = 0;
  for (const delay of DELAYS) {
    const { answered, failed } = await joinUnderLoad({ after: (end) => ends.push(end) }, { server, joins, delay });
    console.log(`replies ${delay} ms late: ${joins} joins, ${answered} calls answered, ${failed.length} failed`);
    for (const text of new Set(failed)) console.log(`  ${text}`);
    failures += failed.length;
    while (ends.length > 0) await ends.pop()();
  }
  await server.stop();
  process.exit(failures === 0 ? 0 : 1);
}

main();
