/** Creating workers: how many a second, spread over two hosts. */
'use strict';

const { interleave } = require('../lib/interleave');
const { withFleet } = require('../lib/fleet');
const { until } = require('../../support/wait');

const IN_FLIGHT = 64;
const WINDOWS = 2; // a create takes longer than an ask, so its window is that many times as long

module.exports = {
  name: 'creates',
  title: 'Creates: workers placed on two host processes, 64 in flight, until onCreate has ended there',
  systems: ['dworker'],
  columns: [
    { head: 'per second', key: 'perSecond' },
    { head: 'from … to', key: 'perSecond', span: true },
    { head: 'p50 µs', key: 'p50' },
    { head: 'p99 µs', key: 'p99' },
    { head: 'fewest on a host %', key: 'share', digits: 1 },
  ],

  async run(context) {
    for (const pair of context.pairs) {
      await withFleet(pair, 'creates', {}, async (own) => {
        const hosts = [await own.addHost(), await own.addHost()];
        const client = await own.addClient();
        await oneWindow(client, hosts, context); // warms up
        await interleave({ ...context, pairs: [pair], cells: [{ label: 'creates' }] }, async (_, cell, round) => {
          context.add({ cell: cell.label, system: pair.name, round }, await oneWindow(client, hosts, context));
        });
      });
    }
  },
};

/** Creates for one window, looks where the workers are, and lets them go. */
async function oneWindow(client, hosts, { windowMs, leadMs }) {
  const kept = await count(hosts);
  const figures = await client.call('creates', { inFlight: IN_FLIGHT, leadMs, windowMs: windowMs * WINDOWS });
  const lives = await Promise.all(hosts.map((host) => host.call('live')));
  const share = (Math.min(...lives) / lives.reduce((a, b) => a + b)) * 100;
  await client.call('dismiss');
  await until('the created workers are gone', async () => (await count(hosts)) === kept);
  return { ...figures, share };
}

async function count(hosts) {
  const lives = await Promise.all(hosts.map((host) => host.call('live')));
  return lives.reduce((a, b) => a + b);
}
