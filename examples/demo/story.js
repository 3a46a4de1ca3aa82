'use strict';

/** What the demo does, in order, and what must have come of it. */

const assert = require('node:assert');
const { balance, chapter, line, moment, seconds, summary } = require('./screen');

const ROOMS = 30;
const LINES = 3;
const ASKS = 3000;
/** How long the lost workers may take to come back. */
const RECOVERY_MS = 30000;
/** When it takes longer than this, a line says what is being waited for. */
const PATIENCE_MS = 1000;

const number = (value) => Math.round(value).toLocaleString('en-US');

async function timed(work) {
  const began = performance.now();
  const value = await work();
  return [value, performance.now() - began];
}

/**
 * Tells the story with three brokers that are not started yet.
 *
 * @param {object[]} team members as team.js makes them
 * @param {boolean} embedded whether they live in this process
 */
async function tell(team, embedded) {
  const rows = [];
  const [front, victim, ...others] = team;
  const survivors = [front, ...others];
  const hostedBy = (members) => Promise.all(members.map(async (member) => ({ id: member.id, rooms: await member.call('hosted') })));

  chapter(embedded ? 'Three brokers' : 'Three brokers, each a process of its own');
  const [pids, starting] = await timed(() => Promise.all(team.map((member) => member.call('start'))));
  team.forEach((member, index) => line(embedded ? member.id : `${member.id.padEnd(6)} pid ${pids[index]}`));
  rows.push([embedded ? 'three brokers start' : 'three processes start, a broker each', team.map(({ id }) => id).join(', '), seconds(starting)]);

  chapter(`${front.id} creates ${ROOMS} chat rooms at once; each is made where the load is least`);
  const [ids, creating] = await timed(() => front.call('create', ROOMS));
  const first = await hostedBy(team);
  balance(first);
  rows.push([`${ROOMS} workers are created`, first.map(({ rooms }) => rooms.length).join(' + '), seconds(creating)]);

  chapter(`${front.id} talks to them, wherever they live`);
  for (let n = 1; n <= LINES; n += 1) await front.call('say', `hello ${n}`);
  const lost = first[1].rooms;
  line(`tell: ${LINES} × "say" to each room`);
  line(`ask:  ${lost[0]} on ${victim.id}, what have you heard? ${JSON.stringify(await front.call('history', lost[0]))}`);
  const before = await front.call('describeAll');
  assert.ok(before.every(({ heard }) => heard === LINES), 'a room has not heard every tell');
  const rush = await front.call('rush', ASKS);
  line(`${number(ASKS)} more asks, 64 at a time: ${number(ASKS / rush * 1000)} a second`);
  rows.push([`${ROOMS * LINES} tells, then an ask to each`, `all ${before.length} answer and have heard all`, '']);
  rows.push([`${number(ASKS)} asks`, `${number(ASKS / rush * 1000)} a second`, seconds(rush)]);

  chapter(embedded ? `${victim.id} is cut off without any clean-up; it holds ${lost.length} rooms` : `kill -9 ${pids[1]}: ${victim.id} dies; it holds ${lost.length} rooms`);
  assert.ok(lost.length > 0, `${victim.id} holds no room`);
  const killed = Date.now();
  await victim.cut();
  moment(Date.now() - killed, embedded ? `${victim.id} is gone` : `the process of ${victim.id} is gone`);
  const waiting = setTimeout(() => moment(Date.now() - killed, `not back yet: the others are not sure that ${victim.id} is dead until its lease has run out`), PATIENCE_MS);
  const back = (await front.call('returned', lost, victim.id, killed + RECOVERY_MS).finally(() => clearTimeout(waiting))).sort((a, b) => a.at - b.at);
  moment(back[0].at - killed, `the first room answers again: ${back[0].id}, now on ${back[0].broker}`);
  moment(back.at(-1).at - killed, `all ${back.length} answer again`);
  const second = await hostedBy(survivors);
  balance(second);

  const attributes = new Map(before.map((room) => [room.id, JSON.stringify(room.attributes)]));
  assert.deepStrictEqual(back.map(({ id }) => id).sort(), [...lost].sort(), 'ids differ');
  assert.ok(back.every(({ recovered }) => recovered), 'a room does not know that it was recovered');
  assert.ok(back.every((room) => JSON.stringify(room.attributes) === attributes.get(room.id)), 'attributes differ');
  const living = second.flatMap(({ rooms }) => rooms);
  assert.deepStrictEqual([...living].sort(), [...ids].sort(), 'the rooms that live are not the rooms that were created');
  line(`Same ids, same attributes: ${back[0].id} ${JSON.stringify(back[0].attributes)}`);
  line('What a room had in memory is gone: a worker keeps what must last in a store of its own.');
  rows.push([embedded ? `${victim.id} is cut off` : `${victim.id} is killed with -9`, `${lost.length} workers are gone with it`, '']);
  rows.push(['the first of them answers again', `${back[0].id} on ${back[0].broker}`, seconds(back[0].at - killed)]);
  rows.push(['all of them answer again', `${back.length} of ${lost.length}, same ids and attributes`, seconds(back.at(-1).at - killed)]);
  rows.push(['every worker lives once', `${ids.length} ids, ${living.length} instances`, '']);

  const [left, leaving] = await timed(() => Promise.all(survivors.map((member) => member.dismiss())));
  assert.ok(left.every(Boolean), 'a broker did not end by itself after destroy() and quit()');
  rows.push(['the other brokers leave', embedded ? 'destroyed' : 'their processes have ended by themselves', seconds(leaving)]);

  chapter('What happened');
  summary(rows);
}

module.exports = { tell };
