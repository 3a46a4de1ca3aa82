/** Which systems take part: each a server and a client process that live through the whole run. */
'use strict';

const path = require('node:path');
const { launch } = require('./processes');

const systemFile = (kind, role) => path.join(__dirname, '..', 'systems', kind, `${role}.js`);

/**
 * Starts a system: `{name, kind, server, client, stop()}`. `kind` is its folder; `settings` go to both
 * processes (for dworker `{redis, options}`), so that one kind can take part under several names.
 * `folder`: of another build of dworker.
 */
async function startPair({ name, kind, settings, folder }) {
  const server = launch(systemFile(kind, 'server'), { folder });
  const client = launch(systemFile(kind, 'client'), { folder });
  const stop = () => Promise.all([client.stop(), server.stop()]);
  try {
    const where = await server.call('start', { ...settings, id: 'server' });
    await client.call('connect', { ...settings, server: where });
  } catch (error) {
    await stop();
    throw error;
  }
  return { name, kind, settings, folder, server, client, stop };
}

module.exports = { startPair, systemFile };
