/** grpc-js, receiving side. */
'use strict';

const { Server, ServerCredentials } = require('@grpc/grpc-js');
const { serve } = require('../../lib/serve');
const service = require('./service');

serve({
  start() {
    const server = new Server();
    server.addService(service, { echo: ({ request }, reply) => reply(null, request) });
    return new Promise((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => (error ? reject(error) : resolve({ port })));
    });
  },
});
