'use strict';

/** What events cost a fleet. Each measure gives rows: what, brokers, figure, target, and whether the target is met. */

const { between } = require('../../../__test__/helpers/server-figures');
const { sleep, until } = require('../../../support/wait');
const { beyond, over, withFleet } = require('./fleets');

/** How long a death is observed, ms: a lease of 5 s has to run out when the process only stands still. */
const DEATH_MS = { kill: 6000, freeze: 12000 };
const IDLE_MS = 10000;
const MOVES = 100;
const MOVE_EVERY_MS = 50;
const WORKERS = 2000;
/** Everything that follows from a kill has happened by then, ms. */
const RECOVERY_MS = 30000;
/** Between two readings while workers are recovered, ms. */
const STEP_MS = 250;
/** So many readings in a row at no more than this multiple of the idle rate are quiet: five deviations of what is random there. */
const QUIET_STEPS = 4;
const QUIET_RATE = 1.75;

/** One row more where commands are counted by kind. */
const byKind = (kinds, title, brokers) => (kinds ? [row(`${title}: ${kinds.text()}`, brokers, '', '', true)] : []);

const row = (what, brokers, figure, target, met) => ({ what, brokers, figure, target, met });

/** One broker without workers dies: beside what an idle fleet of the same size does in the same time. */
async function death(brokers, how) {
  return withFleet({ brokers, victims: 1 }, async ({ fleet, figures, kinds }) => {
    const idle = await over(DEATH_MS[how], figures);
    if (kinds) kinds.reset();
    const before = await figures.read();
    if (how === 'kill') await fleet.victim.kill();
    else fleet.victim.freeze();
    await sleep(DEATH_MS[how]);
    const work = between(before, await figures.read());
    const extra = beyond(idle, work, (brokers - 1) / brokers);
    const reports = await fleet.reports('victim0');
    const suspended = (await fleet.gather('suspensions')).flat().length;
    const each = (figure) => (figure.scriptSeconds / figure.scripts) * 1e6;
    const title = `an empty broker's process is ${how === 'kill' ? 'killed' : 'frozen'}`;
    const commands = Math.round(extra.scripts + extra.proofs);
    return [
      row(`${title}: extra commands`, brokers, `${commands}`, `≤ ${4 * brokers}`, commands <= 4 * brokers),
      row(`${title}: hints`, brokers, `${work.hints}`, '≤ 2', work.hints <= 2),
      row(`${title}: output of Redis, kB`, brokers, (extra.outputBytes / 1000).toFixed(1), '', true),
      row(`${title}: µs a script (idle: ${each(idle).toFixed(0)})`, brokers, each(work).toFixed(0), '', true),
      row(`${title}: brokers that did not report it exactly once`, brokers, `${reports.filter((count) => count !== 1).length}`, '0', reports.every((count) => count === 1)),
      row(`${title}: suspended healthy brokers`, brokers, `${suspended}`, '0', suspended === 0),
      ...byKind(kinds, title, brokers),
    ];
  });
}

/** An idle fleet. */
async function idle(brokers) {
  return withFleet({ brokers }, async ({ figures }) => {
    const work = await over(IDLE_MS, figures);
    const [seconds, share] = [work.at / 1000, brokers / 128];
    const output = work.outputBytes / 1e6 / seconds;
    const busy = (work.processorSeconds / seconds) * 100;
    return [
      row('idle: output of Redis, MB/s', brokers, output.toFixed(3), `≤ ${(0.1 * share).toFixed(3)}`, output <= 0.1 * share),
      row('idle: processor time of Redis, %', brokers, busy.toFixed(1), '≤ 4', busy <= 4),
      row('idle: scripts a second and broker', brokers, (work.scripts / seconds / brokers).toFixed(2), '', true),
      row('idle: µs a script', brokers, ((work.scriptSeconds / work.scripts) * 1e6).toFixed(0), '', true),
    ];
  });
}

/** Workers move, one after the other. */
async function moves(brokers) {
  return withFleet({ brokers, workers: 4 * MOVES }, async ({ fleet, figures, kinds }) => {
    const quiet = await over(IDLE_MS, figures);
    if (kinds) kinds.reset();
    const before = await figures.read();
    const recovered = async () => (await fleet.gather('recoveries')).flat().length;
    let moved = 0;
    for (let turn = 0; moved < MOVES; turn += 1) {
      moved += await fleet.others[turn % fleet.others.length].call('move', 1);
      await sleep(MOVE_EVERY_MS);
    }
    await until('all moved workers are back', async () => (await recovered()) >= moved, RECOVERY_MS);
    const extra = beyond(quiet, between(before, await figures.read()));
    const each = extra.scripts / moved;
    const hints = extra.hints / moved;
    const millis = (extra.processorSeconds / moved) * 1000;
    return [
      row('a worker moves: scripts', brokers, each.toFixed(1), '≤ 12', each <= 12),
      row('a worker moves: hints', brokers, hints.toFixed(1), '', true),
      row('a worker moves: output of Redis, kB', brokers, (extra.outputBytes / moved / 1000).toFixed(1), '', true),
      row('a worker moves: processor time of Redis, ms', brokers, millis.toFixed(2), '', true),
      ...byKind(kinds, `${moved} workers move`, brokers),
    ];
  });
}

/** The process of a broker with workers is killed. */
async function recovery(brokers) {
  return withFleet({ brokers, victims: 1, doomed: WORKERS }, async ({ fleet, figures, kinds }) => {
    const lost = await fleet.victim.call('live');
    const quiet = await over(DEATH_MS.kill, figures);
    const rate = quiet.scripts / quiet.at;
    if (kinds) kinds.reset();
    const [before, killed] = [await figures.read(), Date.now()];
    await fleet.victim.kill();
    const steps = [before];
    const isLoud = (at) => {
      const step = between(steps[at - 1], steps[at]);
      return step.scripts / step.at > QUIET_RATE * rate;
    };
    let loud = 0;
    while (steps.length - 1 - loud < QUIET_STEPS || Date.now() - killed < DEATH_MS.kill) {
      if (Date.now() - killed > RECOVERY_MS) break;
      await sleep(STEP_MS);
      steps.push(await figures.read());
      if (isLoud(steps.length - 1)) loud = steps.length - 1;
    }
    const times = (await fleet.gather('recoveries')).flat().sort((a, b) => a - b).map((at) => at - killed);
    const [first, last] = [times[0], times.at(-1)];
    const quietAfter = Math.max(0, steps[loud].at - before.at - last);
    const work = between(before, steps.at(-1));
    const extra = beyond(quiet, work, (brokers - 1) / brokers);
    const suspended = (await fleet.gather('suspensions')).flat().length;
    const title = `a broker with ${lost} workers is killed`;
    return [
      row(`${title}: workers that are back`, brokers, `${times.length}`, `${lost}`, times.length === lost),
      row(`${title}: the first is back after, ms`, brokers, `${first}`, '', true),
      row(`${title}: all are back after, ms`, brokers, `${last}`, '≤ 1000', last <= 1000),
      row(`${title}: time of Redis, s`, brokers, extra.processorSeconds.toFixed(2), '≤ 0.5', extra.processorSeconds <= 0.5),
      row(`${title}: of that in scripts, s`, brokers, extra.scriptSeconds.toFixed(2), '', true),
      row(`${title}: scripts`, brokers, extra.scripts.toFixed(0), '', true),
      row(`${title}: hints`, brokers, `${work.hints}`, '', true),
      row(`${title}: output of Redis, kB`, brokers, (extra.outputBytes / 1000).toFixed(0), '', true),
      row(`${title}: quiet after the last is back, ms`, brokers, quietAfter.toFixed(0), '≤ 1000', quietAfter <= 1000),
      row(`${title}: suspended healthy brokers`, brokers, `${suspended}`, '0', suspended === 0),
      ...byKind(kinds, title, brokers),
    ];
  });
}

module.exports = { death, idle, moves, recovery };
