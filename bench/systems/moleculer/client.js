/** Moleculer, sending side: actions called and events emitted. */
'use strict';

const { serveClient } = require('../../lib/client');
const { createBroker } = require('./broker');

let broker;

serveClient({
  async connect({ server }) {
    broker = createBroker('client', { server: `127.0.0.1:${server.port}` });
    broker.createService({ name: 'local', actions: { echo: (context) => context.params } });
    await broker.start();
    await broker.waitForServices('echo');
  },
  ask(data, done) {
    broker.call('echo.echo', data).then((answer) => done(null, answer), done);
  },
  tell(data, done) {
    broker.emit('told', data, { throwError: true }).then(() => done(), done);
  },
  askLocal(data, done) {
    broker.call('local.echo', data).then((answer) => done(null, answer), done);
  },
});
