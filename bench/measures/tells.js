/** One-way messages to another process: the rate at which they arrive. */
'use strict';

const { interleave } = require('../lib/interleave');
const { sizeLabel } = require('../lib/echo');

const SIZES = [16, 1024, 16384];

module.exports = {
  name: 'tells',
  title: 'Tells (Moleculer: emitted events), counted where they arrive',
  systems: ['net', 'moleculer', 'dworker'],
  columns: [
    { head: 'per second', key: 'perSecond' },
    { head: 'from … to', key: 'perSecond', span: true },
    { head: 'refused', key: 'overloaded' },
    { head: 'cpu µs each', key: 'cpuPerOp', digits: 1 },
    { head: '× moleculer', key: 'perSecond', against: 'moleculer' },
  ],

  async run(context) {
    const cells = SIZES.map((size) => ({ size, label: sizeLabel(size) }));
    await interleave({ ...context, cells }, async (pair, cell, round) => {
      const { size } = cell;
      const serverBefore = await pair.server.call('cpu');
      await pair.server.call('expect', { size });
      const sent = await pair.client.call('tells', { size, windowMs: context.windowMs, seed: context.seed });
      const arrived = await pair.server.call('received', sent);
      const serverCpu = (await pair.server.call('cpu')) - serverBefore;
      const cpuPerOp = (sent.cpu + serverCpu) / arrived.received;
      context.add({ cell: cell.label, system: pair.name, round }, { ...sent, ...arrived, cpuPerOp });
    });
  },
};
