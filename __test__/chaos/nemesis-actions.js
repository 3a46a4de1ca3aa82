'use strict';

/**
 * What the nemesis does. Each action heals what it did before it ends. `alone`: nothing else may be under way, since more
 * than one fault at that moment is a gap that the documentation names (what was pending at a wipe is lost with it).
 */

const { sleep } = require('../../support/wait');

/** A broker that nothing is being done to; at least two others stay untouched. */
function victim({ world, random, busy }) {
  const free = world.alive.filter((broker) => !busy.has(broker));
  return free.length > 2 ? random.pick(free) : undefined;
}

function onVictim(work) {
  return async (state) => {
    const broker = victim(state);
    if (broker === undefined) return;
    state.busy.add(broker);
    try {
      await work(broker, state);
    } finally {
      state.busy.delete(broker);
    }
  };
}

/** Another process with the same broker id. */
async function again(broker, { world, random, rate, busy, option }) {
  await sleep(random.below(2500));
  for (let tries = 0; tries < 10; tries += 1) {
    const next = world.prepare(broker.id, option(broker));
    busy.add(next);
    try {
      await next.start();
      await next.run('load', { ids: world.ids, rate });
      return;
    } catch {
      await next.kill();
      await sleep(500);
    } finally {
      busy.delete(next);
    }
  }
}

async function kill(broker, state) {
  await broker.kill();
  await again(broker, state);
}

async function leave(broker, state) {
  await broker.run('stopLoad');
  await broker.run('destroy');
  await broker.kill();
  await again(broker, state);
}

async function stop(broker, { random }) {
  broker.stop();
  await sleep(random.between(300, 9000));
  broker.continue();
}

/** What it says to Redis arrives, but only when its lease has run out; it gives workers up just before. */
async function late(broker, { world, random, link }) {
  const ids = world.observer.of(broker.name).filter((id) => id.startsWith('r'));
  const release = link(broker).hold();
  for (const id of ids.slice(0, 20)) broker.run('tell', id, 'move').catch(() => {});
  await sleep(random.between(4500, 9000));
  release();
}

async function block(broker, { random }) {
  await broker.run('block', random.between(300, 7000));
}

async function freezeRedis({ world, random }) {
  world.server.pause();
  await sleep(random.between(100, 3500));
  world.server.resume();
}

async function restartRedis({ world, random }) {
  await world.server.shutdown();
  await sleep(random.below(2000));
  await world.server.start();
}

async function emptyRedis({ world, random }) {
  await world.server.kill();
  await sleep(random.below(1500));
  await world.server.start();
}

const command = (...args) => ({ world }) => world.server.command(...args).catch(() => {});

/** A worker leaves its place, to be made again somewhere. */
async function move({ world, random }) {
  const from = random.pick(world.alive);
  const ids = world.ids.filter((id) => id.startsWith('r'));
  for (let n = 0; n < 10; n += 1) from.run('tell', random.pick(ids), 'move').catch(() => {});
}

const actions = [
  { name: 'kill', run: onVictim(kill) },
  { name: 'kill', run: onVictim(kill) },
  { name: 'stop', run: onVictim(stop) },
  { name: 'stop', run: onVictim(stop) },
  { name: 'stop', run: onVictim(stop) },
  { name: 'late', run: onVictim(late) },
  { name: 'late', run: onVictim(late) },
  { name: 'block', run: onVictim(block) },
  { name: 'leave', run: onVictim(leave) },
  { name: 'move', run: move },
  { name: 'freeze Redis', run: freezeRedis },
  { name: 'restart Redis', run: restartRedis, alone: true },
  { name: 'empty Redis', run: emptyRedis, alone: true },
  { name: 'FLUSHALL', run: command('FLUSHALL'), alone: true },
  { name: 'SCRIPT FLUSH', run: command('SCRIPT', 'FLUSH') },
  { name: 'kill subscribers', run: command('CLIENT', 'KILL', 'TYPE', 'pubsub') },
  { name: 'kill connections', run: command('CLIENT', 'KILL', 'TYPE', 'normal') },
];

module.exports = { actions };
