'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Fleet } = require('./helpers/fleet');
const { onRedis } = require('./helpers/systems');
const { until } = require('../support/wait');

const BROKERS = 16;
const PROCESSES = 4;
const WORKERS = 80;
/** For workers to be handed over and to be active again. */
const RECOVERY_MS = 30000;

onRedis((system) => {
  test('brokers that start at once, and are restarted process by process, keep their leases and all workers', async (t) => {
    const s = system(t);
    const fleet = await Fleet.start(t, { brokers: BROKERS, processes: PROCESSES, victims: 0, option: s.option });
    await fleet.others[0].call('create', WORKERS, 8);
    const suspended = [];
    for (let number = 0; number < PROCESSES; number += 1) {
      suspended.push(...(await fleet.others[number].call('suspensions')));
      await fleet.restart(number);
    }
    const living = async () => (await fleet.gather('live')).reduce((sum, count) => sum + count, 0);
    await until('all workers live again', async () => (await living()) === WORKERS, RECOVERY_MS);
    assert.deepEqual([...suspended, ...(await fleet.gather('suspensions')).flat()], []);
    // Whoever leaves says so: nobody takes it for dead.
    assert.deepEqual((await fleet.gather('deaths')).flatMap((deaths) => Object.values(deaths).flat()), []);
  });
});
