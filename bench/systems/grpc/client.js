/** grpc-js, calling side. */
'use strict';

const { credentials, makeGenericClientConstructor } = require('@grpc/grpc-js');
const { serveClient } = require('../../lib/client');
const service = require('./service');

let client;

serveClient({
  connect({ server }) {
    const Client = makeGenericClientConstructor(service, 'Echo');
    client = new Client(`127.0.0.1:${server.port}`, credentials.createInsecure());
  },
  ask(data, done) {
    client.echo(data, done);
  },
});
