'use strict';

/**
 * The registry as it stands in Redis, read by the documented schema (`src/coordination/keys.rs`).
 */

const { readEntry } = require('../../helpers/entries');

const PAGE = 500;

/** @returns {Promise<object>} as `checker/tables.js` takes it */
async function readTables(client, namespace) {
  const prefix = `{${namespace}}:`;
  const keys = await keysOf(client, `${prefix}*`);
  const named = (kind) => keys.filter((key) => key.startsWith(`${prefix}${kind}:`)).map((key) => [key, key.slice(prefix.length + kind.length + 1)]);
  const tables = { leases: scores(await client.zrange(`${prefix}leases`, 0, -1, 'WITHSCORES')), load: {}, own: {}, workers: {}, pending: [] };
  tables.brokers = await client.hkeys(`${prefix}brokers`);
  for (const [key, cluster] of named('load')) tables.load[cluster] = scores(await client.zrange(key, 0, -1, 'WITHSCORES'));
  for (const [key, incarnation] of named('own')) tables.own[incarnation] = await client.zrange(key, 0, -1);
  for (const [key] of named('pending')) tables.pending.push(...(await client.zrange(key, 0, -1)));
  const workers = named('w');
  for (let i = 0; i < workers.length; i += PAGE) {
    const page = workers.slice(i, i + PAGE);
    const found = await Promise.all(page.map(([key]) => client.get(key)));
    page.forEach(([, id], n) => {
      if (found[n] !== null) tables.workers[id] = readEntry(found[n]);
    });
  }
  return tables;
}

async function keysOf(client, pattern) {
  const keys = new Set();
  let cursor = '0';
  do {
    const [next, page] = await client.scan(cursor, 'MATCH', pattern, 'COUNT', PAGE);
    page.forEach((key) => keys.add(key));
    cursor = next;
  } while (cursor !== '0');
  return [...keys];
}

function scores(flat) {
  const result = {};
  for (let i = 0; i < flat.length; i += 2) result[flat[i]] = Number(flat[i + 1]);
  return result;
}

module.exports = { readTables };
