/** Moleculer, receiving side: a service with an echo action and an event that is counted. */
'use strict';

const { serve } = require('../../lib/serve');
const { arrived, reset, received } = require('../../lib/received');
const { createBroker } = require('./broker');

serve({
  async start() {
    const broker = createBroker('server');
    broker.createService({
      name: 'echo',
      actions: { echo: (context) => context.params },
      events: { told: () => arrived() },
    });
    await broker.start();
    return { port: broker.transit.tx.opts.port };
  },
  expect: reset,
  received,
});
