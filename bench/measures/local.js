/** Asks to a worker of the same broker: no socket. */
'use strict';

const { interleave } = require('../lib/interleave');
const { echoWindow, echoCells, echoColumns } = require('../lib/echo');

module.exports = {
  name: 'local',
  title: 'In-process asks: an echo in the same broker (Moleculer hands the object over, dworker copies)',
  systems: ['moleculer', 'dworker'],
  columns: [...echoColumns, { head: '× moleculer', key: 'perSecond', against: 'moleculer' }, { head: '÷ before', key: 'perSecond', against: 'before' }],

  async run(context) {
    const cells = echoCells(context.payloads, [1, 64, 512], [16]);
    await interleave({ ...context, cells }, async (pair, cell, round) => {
      const figures = await echoWindow(pair, 'local', cell, context);
      context.add({ cell: cell.label, system: pair.name, round }, { ...figures, cpuPerOp: figures.cpu / figures.total });
    });
  },
};
