'use strict';

/**
 * One process of a fleet, and with it several of its brokers, is killed or stands still.
 */

const { sleep, until } = require('../../../support/wait');
const { now } = require('../history');

const PROCESSES = 8;
const BROKERS_EACH = 6;
const RECOVERABLE = 960;
const OTHERS = 96;
/** From each of the brokers. */
const RATE = 6;
const SILENCE_MS = 8000;

/** A fleet under load; `{victims, ids}`: the brokers of one process, and the recoverable workers on them. */
async function start(world) {
  await world.redis({ settings: { maxclients: 10000 } });
  const ids = (process) => Array.from({ length: BROKERS_EACH }, (_, n) => `b${process}-${n}`);
  const processes = Array.from({ length: PROCESSES }, (_, process) => world.prepareHost(ids(process)));
  await Promise.all(processes.flat().map((broker) => broker.start()));
  await world.populate(RECOVERABLE, OTHERS);
  await world.load(RATE);
  await sleep(1500 + world.random.below(500));
  const victims = world.random.pick(processes);
  const held = victims.flatMap(({ name }) => world.observer.of(name));
  return { victims, held, ids: held.filter((id) => id.startsWith('r')) };
}

/** What the brokers that were not touched say of the fault since `time`. */
function witness(world, figures, victims, time) {
  const names = new Set(victims.map(({ name }) => name));
  const witnesses = world.brokers.filter(({ name }) => !names.has(name));
  const told = world.observer.since(time, 'brokerDead', ({ p }) => !names.has(p));
  const counts = new Map(witnesses.flatMap(({ name }) => victims.map(({ id }) => [`${name} ${id}`, 0])));
  for (const { p, dead } of told) counts.set(`${p} ${dead}`, (counts.get(`${p} ${dead}`) || 0) + 1);
  figures.equal('deaths not told exactly once', [...counts.values()].filter((count) => count !== 1).length, 0);
  figures.equal('suspended others', world.observer.since(time, 'suspended', ({ p }) => !names.has(p)).length, 0);
}

function recovered(world, victims, time) {
  const names = new Set(victims.map(({ name }) => name));
  return world.observer.since(time, 'activate', ({ p, cause }) => !names.has(p) && cause === 1);
}

async function allBack(world, victims, ids, time) {
  const back = () => new Set(recovered(world, victims, time).map(({ id }) => id)).size;
  await until('the workers are active again', () => back() >= ids.length, 15000).catch(() => {});
  return recovered(world, victims, time).map(({ t }) => t - time);
}

module.exports = {
  number: 19,
  title: 'one process of a fleet with 6 of its 48 brokers: kill -9; SIGSTOP 8 s',
  target: 'killed: all back ≤ 1.5 s; stopped: as fault 2. Each death told once by everybody, nobody else suspended',
  variants: {
    async killed(world, figures) {
      const { victims, ids } = await start(world);
      const killed = world.heal();
      await victims[0].kill();
      const times = await allBack(world, victims, ids, killed);
      figures.note('workers', ids.length);
      figures.most('first back', Math.min(...times), 1000, 'ms');
      figures.most('all back', times.length < ids.length ? Infinity : Math.max(...times), 1500, 'ms');
      await sleep(2000);
      witness(world, figures, victims, killed);
      return { within: 3000 };
    },

    async stopped(world, figures) {
      const { victims, held, ids } = await start(world);
      const stopped = now();
      victims[0].stop();
      await sleep(SILENCE_MS);
      witness(world, figures, victims, stopped);
      victims[0].continue();
      world.heal();
      const times = recovered(world, victims, stopped).map(({ t }) => t - stopped);
      figures.between('first recovered', Math.min(...times), 4500, 5700, 'ms');
      figures.most('last recovered', Math.max(...times), 6500, 'ms');
      figures.equal('recovered', new Set(recovered(world, victims, stopped).map(({ id }) => id)).size, ids.length);
      const names = new Set(victims.map(({ name }) => name));
      const fenced = () => world.observer.since(stopped, 'deactivate', ({ p, cause }) => names.has(p) && cause === 2);
      await until('the old instances are FENCED', () => fenced().length >= held.length, 5000).catch(() => {});
      figures.equal('fenced', fenced().length, held.length);
      return { within: 2000 };
    },
  },
};
