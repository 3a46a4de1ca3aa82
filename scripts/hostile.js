'use strict';

/**
 * `npm run hostile [-- --frames 1000000]`: throws hostile frames at a live broker while an honest peer calls its
 * workers, and prints what came of it. Ends with 1 where anything was accepted, lost, ended, or grew.
 */

const { join } = require('node:path');
const { parseArgs } = require('node:util');
const { Child } = require('../support/child');
const { freePort } = require('../support/ports');
const { startRedis } = require('../support/redis-server');
const { proveTo, pester, throwAt } = require('./support/hostile/attack');
const { fatal, proven, unproven } = require('./support/hostile/frames');

const { values: given } = parseArgs({ options: { frames: { type: 'string', default: '1000000' } } });
const FRAMES = Number(given.frames);
/** So many of them on connections of their own, by who never proves anything. */
const UNPROVEN = Math.min(FRAMES / 2, 30000);
/** What a proven peer says before it says what ends its connection. */
const PER_CONNECTION = 1000;
const AT_ONCE = 8;
const WORKERS = 16;
/** What resident memory may be at the end, compared with the most of the first quarter. */
const GROWTH = 1.1;
/** A short run is over before the heap has found its size. */
const SETTLING_MIB = 16;
const SECRET = 'the secret of the hostile run';
const NS = 'hostile';

/** A process of the run. */
function launch(id, option) {
  return new Child(join(__dirname, 'support', 'hostile', 'member.js'), [JSON.stringify({ id, option })]);
}

/** Runs `work(number)` for each number below `count`, a few at a time. */
async function several(count, work) {
  let next = 0;
  const lane = async () => {
    while (next < count) {
      next += 1;
      await work(next - 1);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}

async function attack(port, workers, counts) {
  const party = { ns: NS, secret: SECRET, broker: 'hostile' };
  const recording = await proveTo(port, party);
  recording.socket.destroy();
  const sets = { unproven: unproven({ ns: NS, recorded: [Buffer.concat(recording.said), ...recording.said] }), proven: proven({ workers }), fatal: fatal() };
  const [strangers, members, ends] = Object.values(sets).map((set) => Object.entries(set));
  const make = ([kind, one]) => {
    counts.kinds[kind] = (counts.kinds[kind] ?? 0) + 1;
    counts.frames += 1;
    return one();
  };
  await several(UNPROVEN, async (number) => {
    if (await throwAt(port, make(strangers[number % strangers.length]))) counts.letIn += 1;
  });
  await several(Math.ceil((FRAMES - UNPROVEN) / PER_CONNECTION), async (number) => {
    const connection = await proveTo(port, party);
    if (connection === null) {
      counts.refused += 1;
      return;
    }
    const frames = Array.from({ length: PER_CONNECTION - 1 }, (_, index) => make(members[index % members.length]));
    await pester(connection.socket, frames, make(ends[number % ends.length]));
  });
}

async function main() {
  const redis = await startRedis();
  const port = await freePort();
  const option = { redis: redis.url, ns: NS, secret: SECRET };
  const target = launch('target', { ...option, listen: { port } });
  const honest = launch('honest', option);
  try {
    await Promise.all([target.ready(), honest.ready()]);
    await target.call('start');
    const workers = await target.call('create', WORKERS);
    await honest.call('start');
    const calls = honest.call('callOn', workers);
    const counts = { frames: 0, letIn: 0, refused: 0, kinds: {} };
    const memory = [];
    const begun = performance.now();
    const looking = setInterval(async () => {
      const { rss } = await target.call('look');
      memory.push(rss / 2 ** 20);
      if (process.stderr.isTTY) process.stderr.write(`\r${counts.frames} frames, ${Math.round(rss / 2 ** 20)} MiB `);
    }, 500);
    await attack(port, workers, counts);
    clearInterval(looking);
    const seconds = (performance.now() - begun) / 1000;
    await honest.call('stop');
    const peer = await calls;
    const { handled, logged } = await target.call('look');
    return report({ counts, memory, seconds, peer, handled, logged, exits: [target, honest].filter(({ isOver }) => isOver).length });
  } finally {
    await Promise.all([target.kill(), honest.kill()]);
    await redis.stop();
  }
}

function report({ counts, memory, seconds, peer, handled, logged, exits }) {
  const early = Math.max(...memory.slice(0, Math.ceil(memory.length / 4)));
  const last = memory.at(-1);
  const lost = Object.values(peer.failed).reduce((sum, count) => sum + count, peer.wrong);
  console.table(counts.kinds);
  const figures = {
    'hostile frames': counts.frames,
    seconds: Math.round(seconds),
    'accepted (handlers run, strangers let in)': handled.hostile + counts.letIn,
    'processes ended': exits,
    'resident memory, first quarter, MiB (most)': Math.round(early),
    'resident memory, all the time, MiB (most)': Math.round(Math.max(...memory)),
    'resident memory, end, MiB': Math.round(last),
    'calls of the honest peer answered': peer.answered,
    'calls of the honest peer lost or wrong': lost,
    'slowest call of the honest peer, ms': Math.round(peer.slowest),
    'warnings logged': logged,
    'connections of the proven peer refused': counts.refused,
  };
  console.table(figures);
  if (lost > 0) console.log(peer.failed);
  const good = handled.hostile + counts.letIn + exits + lost === 0 && last <= early * GROWTH + SETTLING_MIB && handled.honest >= peer.answered;
  console.log(good ? 'Nothing was accepted, lost or ended, and memory is flat.' : 'FAILED');
  return good ? 0 : 1;
}

main().then(
  (code) => process.exit(code),
  (error) => {
    console.error(error);
    process.exit(1);
  }
);
