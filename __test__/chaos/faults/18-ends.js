'use strict';

/**
 * A broker's process or thread ends in the middle of its work.
 */

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');
const { createInterface } = require('node:readline');
const { until } = require('../../../support/wait');
const { now } = require('../history');
const { killWithUs } = require('../tools/cleanup');
const { NAMESPACE } = require('../world');

const PROGRAM = path.join(__dirname, '..', 'program', 'ends.js');
const LIMIT_MS = 200;
/** What the program may end with. */
const CODES = { exit: [3], crash: [1], thread: [0] };

/** Runs the program until it ends; `ended` waits each time a thread of it begins to end. Gives its exit code or signal. */
async function live(world, how, times, ended) {
  const task = JSON.stringify({ how, times, option: { ns: NAMESPACE, redis: world.server.url } });
  const child = spawn(process.execPath, [PROGRAM, task], { stdio: ['pipe', 'pipe', 'ignore'], env: { ...process.env, ...world.env } });
  killWithUs(child);
  const exit = once(child, 'exit');
  for await (const line of createInterface({ input: child.stdout })) {
    if (line !== 'ended') child.stdin.write('go\n');
    else {
      await ended(now());
      child.stdin.write('next\n');
    }
  }
  const [code, signal] = await exit;
  return code === null ? signal : code;
}

function variant(how, processes, times) {
  return async (world, figures) => {
    await world.system({ brokers: 2, recoverable: 40, others: 10 });
    await world.load(40);
    const client = world.server.client();
    const codes = new Set();
    const released = [];
    const gone = async (time) => {
      await until('the lease is released', async () => (await client.zcard(`{${NAMESPACE}}:leases`)) === 2, 8000).catch(() => {});
      released.push(now() - time);
    };
    for (let n = 0; n < processes; n += 1) {
      codes.add(await live(world, how, times, gone));
      if (how !== 'thread') await gone(now());
    }
    client.disconnect();
    world.heal();
    figures.note('ends', released.length);
    figures.note('median', released.sort((a, b) => a - b)[released.length >> 1], 'ms');
    figures.most('lease released', Math.max(...released), LIMIT_MS, 'ms');
    figures.equal('exit codes', [...codes].join(' '), CODES[how].join(' '));
    return {};
  };
}

module.exports = {
  number: 18,
  title: 'worker_thread terminated, process.exit, uncaught exception, 200 times',
  target: 'lease released ≤ 200 ms; never exit code 134 or 139',
  variants: {
    thread: variant('thread', 2, 50),
    exit: variant('exit', 50, 1),
    crash: variant('crash', 50, 1),
  },
};
