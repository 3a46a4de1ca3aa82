/** One-way messages to another process: the rate at which they arrive. */
'use strict';

const { interleave } = require('../lib/interleave');
const { payloadCells } = require('../lib/echo');
const { rawPayload } = require('../lib/payload');

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
    { head: '÷ before', key: 'perSecond', against: 'before' },
  ],

  async run(context) {
    const cells = payloadCells(context.payloads);
    await interleave({ ...context, cells }, async (pair, cell, round) => {
      const { kind, size } = cell;
      const { seed } = context;
      const serverBefore = await pair.server.call('cpu');
      await pair.server.call('expect', { size: rawPayload(kind, size, seed).length });
      const sent = await pair.client.call('tells', { kind, size, windowMs: context.windowMs, seed });
      const arrived = await pair.server.call('received', sent);
      const serverCpu = (await pair.server.call('cpu')) - serverBefore;
      const cpuPerOp = (sent.cpu + serverCpu) / arrived.received;
      context.add({ cell: cell.label, system: pair.name, round }, { ...sent, ...arrived, cpuPerOp });
    });
  },
};
