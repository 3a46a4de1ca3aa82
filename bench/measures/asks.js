/** Asks to a worker in another process: throughput, latency, processor time. */
'use strict';

const { interleave } = require('../lib/interleave');
const { echoWindow, echoCells, echoColumns } = require('../lib/echo');

const IN_FLIGHT = [1, 64, 512];
const SIZES = [16, 1024, 16384];

module.exports = {
  name: 'asks',
  title: 'Asks: an echo in another process',
  systems: ['net', 'moleculer', 'dworker'],
  columns: [...echoColumns, { head: '× moleculer', key: 'perSecond', against: 'moleculer' }, { head: 'p50 ÷ net', key: 'p50', against: 'net' }],

  async run(context) {
    const cells = echoCells(SIZES, IN_FLIGHT);
    await interleave({ ...context, cells }, async (pair, cell, round) => {
      const serverBefore = await pair.server.call('cpu');
      const figures = await echoWindow(pair, 'asks', cell, context);
      const serverCpu = (await pair.server.call('cpu')) - serverBefore;
      context.add({ cell: cell.label, system: pair.name, round }, { ...figures, cpuPerOp: (figures.cpu + serverCpu) / figures.total });
    });
  },
};
