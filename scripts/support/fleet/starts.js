'use strict';

/** What it takes to start a whole fleet at once, and to restart it process by process. */

const { Fleet } = require('../../../__test__/helpers/fleet');
const { LeaseWatch } = require('../../../__test__/helpers/lease-watch');
const { startRedis } = require('../../../support/redis-server');
const { ServerFigures, between } = require('../../../__test__/helpers/server-figures');
const { sleep, until } = require('../../../support/wait');

const PROCESSES = 8;
const NS = 'starts';
/** Recoverable workers for each broker, which have to be there again after the restart. */
const WORKERS_EACH = 10;
/** What is left of a lease of 5 s where every renewal comes in time, less two that come late, ms. */
const LEAST_MARGIN = 3500;
/** For hints and looks that follow the last start, ms. */
const SETTLING_MS = 2000;
const RECOVERY_MS = 30000;

const row = (what, brokers, figure, target, met) => ({ what, brokers, figure, target, met });

/** Rows of what was measured while brokers started. */
function rows(title, brokers, { work, seconds, margin, suspended }) {
  return [
    row(`${title}: until all are active, s`, brokers, seconds.toFixed(1), '', true),
    row(`${title}: shortest lease, ms`, brokers, margin.toFixed(0), `≥ ${LEAST_MARGIN}`, margin >= LEAST_MARGIN),
    row(`${title}: suspended brokers`, brokers, `${suspended}`, '0', suspended === 0),
    row(`${title}: scripts a broker`, brokers, (work.scripts / brokers).toFixed(1), '', true),
    row(`${title}: µs a script`, brokers, ((work.scriptSeconds / work.scripts) * 1e6).toFixed(0), '', true),
    row(`${title}: KiB from Redis a broker`, brokers, (work.outputBytes / 1024 / brokers).toFixed(0), '', true),
    row(`${title}: processor time of Redis, s`, brokers, work.processorSeconds.toFixed(2), '', true),
  ];
}

/** Starts all brokers of a namespace at once, and then restarts them, one process after the other. */
async function starts(brokers) {
  const ends = [];
  const t = { after: (end) => ends.push(end) };
  const server = await startRedis({ settings: { maxclients: 10000 } });
  const [figures, leases] = [await ServerFigures.of(server), await LeaseWatch.start(server, NS)];
  try {
    const suspended = async (fleet) => (await fleet.gather('suspensions')).flat().length;
    let before = await figures.read();
    const fleet = await Fleet.start(t, { brokers, processes: PROCESSES, victims: 0, option: { redis: server.url, ns: NS } });
    await sleep(SETTLING_MS);
    let work = between(before, await figures.read());
    const cold = rows('cold start', brokers, { work, seconds: Math.max(...fleet.started.times) / 1000, margin: leases.take(), suspended: await suspended(fleet) });

    const workers = brokers * WORKERS_EACH;
    await fleet.others[0].call('create', workers, 64);
    leases.take();
    before = await figures.read();
    let lost = 0;
    for (let number = 0; number < PROCESSES; number += 1) {
      lost += (await fleet.others[number].call('suspensions')).length;
      await fleet.restart(number);
    }
    work = between(before, await figures.read());
    const rolling = rows('rolling restart', brokers, { work, seconds: work.at / 1000, margin: leases.take(), suspended: lost + (await suspended(fleet)) });
    const living = async () => (await fleet.gather('live')).reduce((sum, count) => sum + count, 0);
    await until('all workers are back', async () => (await living()) === workers, RECOVERY_MS).catch(() => {});
    const back = await living();
    return [...cold, ...rolling, row('rolling restart: workers that live afterwards', brokers, `${back}`, `${workers}`, back === workers)];
  } finally {
    for (const end of ends) await end();
    await leases.stop();
    figures.close();
    await server.stop();
  }
}

module.exports = { starts };
