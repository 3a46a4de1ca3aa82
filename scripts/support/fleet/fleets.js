'use strict';

/** Fleets to measure: real processes on a Redis server of their own, and the time that a figure is taken over. */

const { Fleet } = require('../../../__test__/helpers/fleet');
const { startRedis } = require('../../../support/redis-server');
const { ServerFigures, between } = require('../../../__test__/helpers/server-figures');
const { sleep } = require('../../../support/wait');
const { Kinds } = require('./kinds');

/** After the start, until every broker has read who else is there, ms. */
const SETTLING_MS = 4000;

/** Whether commands are counted by kind, too. That itself makes the server work: bytes and processor time are no figures then. */
let byKind = false;

function countKinds() {
  byKind = true;
}

/**
 * Starts a fleet, gives it time to become quiet, and ends everything after `use`.
 *
 * @param {{brokers: number, victims: number=, doomed: number=, workers: number=}} size as of `Fleet.start`; `workers`: created before it
 *   becomes quiet
 * @param {function({fleet: Fleet, figures: ServerFigures, kinds: (Kinds|null)}): Promise} use
 */
async function withFleet({ brokers, victims = 0, doomed = 0, workers = 0 }, use) {
  const ends = [];
  const t = { after: (end) => ends.push(end) };
  const server = await startRedis({ settings: { maxclients: 10000 } });
  const figures = await ServerFigures.of(server);
  let kinds = null;
  try {
    const fleet = await Fleet.start(t, { brokers, victims, doomed, option: { redis: server.url, ns: `fleet${brokers}` } });
    if (workers > 0) await fleet.others[0].call('create', workers, 64);
    await sleep(SETTLING_MS);
    kinds = byKind ? await Kinds.watch(server) : null;
    return await use({ fleet, figures, kinds });
  } finally {
    if (kinds) kinds.close();
    for (const end of ends) await end();
    figures.close();
    await server.stop();
  }
}

/** What the server does during `milliseconds`. */
async function over(milliseconds, figures) {
  const before = await figures.read();
  await sleep(milliseconds);
  return between(before, await figures.read());
}

/** What is beyond `share` of the work of an idle fleet over the same time. */
function beyond(idle, work, share = 1) {
  const expected = (name) => (idle[name] / idle.at) * work.at * share;
  return Object.fromEntries(Object.keys(work).map((name) => [name, work[name] - expected(name)]));
}

module.exports = { beyond, countKinds, over, withFleet };
