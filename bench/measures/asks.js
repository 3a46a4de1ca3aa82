/** Asks to a worker in another process: throughput, latency, processor time. */
'use strict';

const { interleave } = require('../lib/interleave');
const { echoWindow, echoCells, echoColumns } = require('../lib/echo');

const { SYSTEMS } = require('../lib/systems');

const IN_FLIGHT = [1, 64, 512];

module.exports = {
  name: 'asks',
  title: 'Asks: an echo in another process; dworker: 16 workers in turn',
  systems: SYSTEMS,
  columns: [...echoColumns, { head: '× moleculer', key: 'perSecond', against: 'moleculer' }, { head: 'p50 ÷ net', key: 'p50', against: 'net' }, { head: '÷ before', key: 'perSecond', against: 'before' }],

  async run(context) {
    const cells = echoCells(context.payloads, IN_FLIGHT);
    await interleave({ ...context, cells }, async (pair, cell, round) => {
      const serverBefore = await pair.server.call('cpu');
      const figures = await echoWindow(pair, 'asks', cell, context);
      const serverCpu = (await pair.server.call('cpu')) - serverBefore;
      context.add({ cell: cell.label, system: pair.name, round }, { ...figures, cpuPerOp: (figures.cpu + serverCpu) / figures.total });
    });
  },
};
