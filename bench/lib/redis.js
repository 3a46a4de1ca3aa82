/** What the bench reads from its Redis server. */
'use strict';

const { answer } = require('../../support/redis-server');

/** The first match of `pattern` in the answer to a command. */
async function read({ host, port }, command, pattern) {
  const found = pattern.exec(await answer(port, [command], host));
  if (!found) throw new Error(`${command} was answered without ${pattern}`);
  return found;
}

/** The server's version. */
async function version(redis) {
  const [, text] = await read(redis, 'INFO server', /redis_version:(\S+)/);
  return text;
}

/** Counts from now on what `slowCommands` tells. */
const forgetSlowCommands = (redis) => read(redis, 'SLOWLOG RESET', /OK/);

/** How many commands took the server longer than 10 ms (its own default for its log), during which it served nobody. */
async function slowCommands(redis) {
  const [, count] = await read(redis, 'SLOWLOG LEN', /:(\d+)/);
  return Number(count);
}

/** Bytes that the server's data takes. */
async function usedMemory(redis) {
  const [, bytes] = await read(redis, 'INFO memory', /used_memory:(\d+)/);
  return Number(bytes);
}

module.exports = { forgetSlowCommands, slowCommands, usedMemory, version };
