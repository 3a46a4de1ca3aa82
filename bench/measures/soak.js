/** Whether throughput and memory stay flat over minutes. */
'use strict';

const SLICE = 5; // s
const EDGE = 30; // s at the beginning and at the end that are compared
const REFERENCE_MS = 500; // of raw sockets after each slice: a machine that slows down slows them down, too

module.exports = {
  name: 'soak',
  optional: true,
  title: 'Soak: asks of an object with 16 B, 64 in flight; raw sockets for half a second after every 5',
  systems: ['net', 'moleculer', 'dworker'],
  columns: [
    { head: 'per second', key: 'perSecond' },
    { head: 'from … to', key: 'perSecond', span: true },
    { head: '÷ net', key: 'share', digits: 3 },
    { head: 'p99 µs', key: 'p99' },
    { head: 'client MiB', key: 'clientMib', digits: 1 },
    { head: 'server MiB', key: 'serverMib', digits: 1 },
  ],

  async run({ pairs, seconds, seed, progress, add }) {
    const slices = Math.max(1, Math.round(seconds / SLICE));
    const edge = Math.max(1, Math.min(EDGE / SLICE, Math.floor(slices / 2)));
    const net = pairs.find((pair) => pair.kind === 'net');
    for (const pair of pairs.filter((pair) => pair !== net)) {
      for (let slice = 0; slice < slices; slice++) {
        progress(`${pair.name}, second ${slice * SLICE} of ${seconds}`);
        const figures = await oneSlice(pair, seed);
        if (net) figures.share = figures.perSecond / (await asks(net, REFERENCE_MS, seed)).perSecond;
        const put = (cell, round) => add({ cell, system: pair.name, round }, figures);
        put('all of it', slice);
        if (slice < edge) put(`first ${edge * SLICE} s`, slice);
        if (slice >= slices - edge) put(`last ${edge * SLICE} s`, slice - (slices - edge));
      }
    }
  },
};

const asks = (pair, windowMs, seed) => pair.client.call('asks', { kind: 'object', size: 16, inFlight: 64, leadMs: 0, windowMs, seed });

async function oneSlice(pair, seed) {
  const figures = await asks(pair, SLICE * 1000, seed);
  const [client, server] = await Promise.all([pair.client.call('rss'), pair.server.call('rss')]);
  return { ...figures, clientMib: client.rss / 2 ** 20, serverMib: server.rss / 2 ** 20 };
}
