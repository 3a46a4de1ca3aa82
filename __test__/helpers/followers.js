'use strict';

const { RawRedis } = require('./resp');
const { until } = require('../../support/wait');

/** `"text"` as MONITOR writes it; the texts looked for here have nothing that it escapes. */
const WORD = /"([^"]*)"/g;

/** The four last arguments of a look: incarnation, generation, server, and the version of the members that it knows. */
function readLook(line) {
  const words = [...line.matchAll(WORD)].map(([, word]) => word);
  const [incarnation, , , version] = words.slice(-4);
  return words[0] === 'EVALSHA' ? { incarnation, version } : {};
}

/**
 * Waits until this many brokers of the namespace know all others: each said so in a look, with the last version of the
 * members.
 */
async function allFollow(server, namespace, count) {
  const [asks, listens] = [await RawRedis.connect(server.port), await RawRedis.connect(server.port)];
  try {
    listens.write('MONITOR');
    await until(`${count} brokers know each other`, async () => {
      asks.write('HGET', `{${namespace}}:meta`, 'version');
      const version = (await asks.answers()).split('\r\n')[1];
      const looks = listens.text.split('\r\n').map(readLook).filter((look) => look.version === version);
      return new Set(looks.map(({ incarnation }) => incarnation)).size === count;
    }, 15000);
  } finally {
    asks.close();
    listens.close();
  }
}

module.exports = { allFollow };
