/** How long the workers of a killed process are away. */
'use strict';

const { withFleet } = require('../lib/fleet');

const WORKERS = 1000;

module.exports = {
  name: 'recovery',
  title: `Recovery: from kill -9 of a process with ${WORKERS} recoverable workers until they answer elsewhere, ms`,
  systems: ['dworker'],
  columns: [
    { head: 'first', key: 'first', digits: 0 },
    { head: 'half', key: 'half', digits: 0 },
    { head: 'all', key: 'all', digits: 0 },
    { head: 'all, from … to', key: 'all', span: true, digits: 0 },
  ],

  async run(context) {
    const rounds = Math.min(context.rounds, context.quick ? 2 : 5);
    for (let round = 0; round < rounds; round++) {
      for (const pair of context.pairs) {
        context.progress(`round ${round + 1} of ${rounds}: ${pair.name}`);
        const figures = await withFleet(pair, `recovery-${round}`, {}, killOne);
        context.add({ cell: `${WORKERS} workers`, system: pair.name, round }, figures);
      }
    }
  },
};

/** All workers are on the first host, the second one is empty; the client has asked each of them once. */
async function killOne(own) {
  const doomed = await own.addHost();
  const client = await own.addClient();
  await client.call('populate', { count: WORKERS, recoverable: true });
  await own.addHost();
  const places = await client.call('who');
  if (places[doomed.pid] !== WORKERS) throw new Error(`expected ${WORKERS} workers in process ${doomed.pid}, found ${JSON.stringify(places)}`);
  const since = doomed.kill();
  return client.call('probe', { killed: doomed.pid, since });
}
