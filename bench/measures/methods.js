/** What a call of a method by its name costs over an ask, in the same process and in another one. */
'use strict';

const { interleave } = require('../lib/interleave');
const { echoColumns } = require('../lib/echo');

const IN_FLIGHT = [1, 64];
const PLACES = { 'same broker': 'Local', 'another process': '' };
/** The class of the worker, and how it is asked. */
const WAYS = [
  { name: 'by ask', className: 'AskedRoom', how: 'ask' },
  { name: 'by call', className: 'NamedRoom', how: 'call' },
];

module.exports = {
  name: 'methods',
  title: 'Methods by name: an echo by agent.ask() and onAsk, and one by agent.call.echo()',
  optional: true,
  systems: ['dworker'],
  columns: [...echoColumns, { head: '÷ by ask', key: 'perSecond', against: 'dworker by ask' }],

  async run(context) {
    const cells = Object.entries(PLACES).flatMap(([place, prefix]) => IN_FLIGHT.map((inFlight) => ({ label: `${place}, ${inFlight} in flight`, prefix, inFlight })));
    const { windowMs, leadMs, seed } = context;
    await interleave({ ...context, cells }, async (pair, { label, prefix, inFlight }, round) => {
      for (const { name, className, how } of round % 2 === 0 ? WAYS : [...WAYS].reverse()) {
        const figures = await pair.client.call('echoBy', { className: prefix + className, how, kind: 'object', size: 16, inFlight, windowMs, leadMs, seed });
        context.add({ cell: label, system: `${pair.name} ${name}`, round }, { ...figures, cpuPerOp: figures.cpu / figures.total });
      }
    });
  },
};
