'use strict';

/**
 * `npm run poison`: six processes, 100 workers, and one worker that ends its process, all created at about the same time. Prints how
 * many processes ended, the longest time for which any of the 100 workers did not answer (it may span several of these ends), and how
 * long after the last end all of them had answered. The exit code is 1 if that took more than a second, or if more than three processes
 * ended.
 */

const path = require('node:path');
const { Agent, Broker, Worker } = require('..');
const { Child } = require('../support/child');
const { startRedis } = require('../support/redis-server');
const { sleep, until } = require('../support/wait');

const PROGRAM = path.join(__dirname, '..', '__test__', 'fixtures', 'poison.js');
const WAYS = ['throws', 'aborts', 'later', 'message'];
const PROCESSES = 6;
const INNOCENTS = 100;
const RECOVERABLE = { recoverable: true };
const LIMIT_MS = 1000;
const PAUSE_MS = 20;
const PATIENCE_MS = 60_000;

class Poison extends Worker {}
class Innocent extends Worker {}

/**
 * Asks a worker repeatedly until `done()`. Returns the longest time between two answers (`silence`), and how long after the last of
 * `ends` the worker answered an ask that was sent after it (`back`).
 */
async function listen(agent, ends, done) {
  let answered = performance.now();
  let silence = 0;
  let seen = 0;
  let back = 0;
  while (!done()) {
    const began = performance.now();
    const heard = await agent.ask('where', undefined, { timeout: LIMIT_MS }).then(() => true, () => false);
    const now = performance.now();
    silence = Math.max(silence, now - answered);
    if (heard) answered = now;
    if (heard && ends.length > seen && began >= ends.at(-1)) {
      seen = ends.length;
      back = now - ends.at(-1);
    }
    await sleep(PAUSE_MS);
  }
  return { silence, back };
}

async function hosts(redis, ns, how) {
  const children = Array.from({ length: PROCESSES }, (_, n) => {
    const config = JSON.stringify({ id: `n${n}`, how, redis, ns });
    return new Child(PROGRAM, [config], { name: `The process of broker n${n}`, stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
  });
  await Promise.all(children.map((child) => child.ready()));
  return children;
}

async function tryOut(redis, how) {
  const ns = `poison ${how}`;
  const children = await hosts(redis, ns, how);
  const caller = new Broker('caller', { redis, ns, clustername: 'callers', promise: 'native', rpcTimeout: 10_000, log: false });
  for (const Class of [Poison, Innocent]) caller.registerWorker(Class, { clustername: 'main' });
  await caller.start();
  const create = (name, id) => caller.createWorker(name, { id, attributes: RECOVERABLE });
  const ids = Array.from({ length: INNOCENTS }, (_, n) => `i${n}`);
  const [poison] = await Promise.all([create('Poison', 'p'), ...ids.map((id) => create('Innocent', id))]);
  let done = false;
  const ends = [];
  for (const child of children) child.process.once('exit', () => ends.push(performance.now()));
  const listeners = ids.map((id) => listen(new Agent(id, caller), ends, () => done));
  await poison.tell('end').catch(() => {});
  const hello = setInterval(() => poison.tell('hello').catch(() => {}), PAUSE_MS);
  await until('the poison is quarantined', () => poison.ask('where').then(() => false, ({ code }) => code === 'DW_ERR_QUARANTINED'), PATIENCE_MS);
  clearInterval(hello);
  const answers = () => Promise.all(ids.map((id) => new Agent(id, caller).ask('where')));
  await until('all others answer', () => answers().then(() => true), PATIENCE_MS);
  done = true;
  const heard = await Promise.all(listeners);
  const ended = ends.length;
  await Promise.all(children.map((child) => child.kill()));
  await caller.destroy();
  caller.quit();
  return { ended, silence: Math.max(...heard.map((each) => each.silence)), back: Math.max(...heard.map((each) => each.back)) };
}

async function main() {
  const server = await startRedis();
  let failed = false;
  for (const how of WAYS) {
    const { ended, silence, back } = await tryOut(server.url, how);
    const times = `the other workers answered ${Math.round(back)} ms after the last end; the longest gap between two answers was ${Math.round(silence)} ms`;
    console.log(`${how}: ${ended} of ${PROCESSES} processes ended; ${times}`);
    failed = failed || ended > PROCESSES / 2 || back > LIMIT_MS;
  }
  await server.stop();
  process.exit(failed ? 1 : 0);
}

main();
