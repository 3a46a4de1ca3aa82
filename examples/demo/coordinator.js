'use strict';

/** Where the state of the demo's cluster lives: a server that is told, a private one, or the process itself. */

const { startRedis } = require('../../support/redis-server');
const { removeNamespace, serverVersion } = require('./redis');

/** A URL without its password. */
const shown = (url) => url.replace(/\/\/[^@/]*@/, '//');

/** A server of our own in a temporary directory; null when the program is not there. */
async function privateServer() {
  try {
    const server = await startRedis({ program: 'redis-server' });
    return { url: server.url, version: await serverVersion(server.url), port: server.port, stop: () => server.stop() };
  } catch (error) {
    if (error.code === 'ENOENT') return null;
    throw new Error(`redis-server does not start: ${error.message}`, { cause: error });
  }
}

/**
 * Chooses the coordinator.
 *
 * @param {string} ns the namespace of the demo
 * @returns {Promise<{url: string, text: string, embedded: boolean, remove: function(): Promise}>} `remove` takes away what the demo
 *   put there
 */
async function chooseCoordinator(ns) {
  const told = process.env.DWORKER_REDIS_URL;
  const remarks = [];
  if (told?.startsWith('memory:')) return embedded('DWORKER_REDIS_URL says so');
  if (told) {
    try {
      const version = await serverVersion(told);
      return { url: told, text: `${version} at ${shown(told)}, told by DWORKER_REDIS_URL`, embedded: false, remove: () => removeNamespace(told, ns) };
    } catch (error) {
      remarks.push(`(DWORKER_REDIS_URL names ${shown(told)}, but no server can be used there: ${error.message})\n`);
    }
  }
  const server = await privateServer();
  if (server) {
    return { url: server.url, text: `${remarks.join('')}${server.version}, a private redis-server on port ${server.port}, started for this demo`, embedded: false, remove: server.stop };
  }
  return embedded('no redis-server program is on the PATH', remarks);
}

function embedded(reason, remarks = []) {
  return {
    url: 'memory://demo',
    text: `${remarks.join('')}memory://, the embedded coordinator (${reason}): three brokers in one process`,
    embedded: true,
    remove: async () => {},
  };
}

module.exports = { chooseCoordinator };
