/** The run: which systems and measurements take part, in which order, and what is printed. */
'use strict';

const path = require('node:path');
const { readArgs } = require('./lib/args');
const { facts, load, busy } = require('./lib/machine');
const { loadError } = require('./lib/loadable');
const { seeded } = require('../support/random');
const { startRedis } = require('../support/redis-server');
const { version } = require('./lib/redis');
const { startPair } = require('./lib/pairs');
const { payloadCells } = require('./lib/echo');
const { Report } = require('./lib/report');

const MEASURES = ['asks', 'tells', 'local', 'creates', 'memory', 'recovery', 'methods', 'soak', 'overload'].map((name) => require(`./measures/${name}`));
const QUIET = 0.1; // part of the cores that may be in use before a run without a remark
const LEAD_MS = 50; // of every window, not counted
const WARM_UP_MS = 400; // of each payload, once per system, so that V8 has compiled what is measured

async function main() {
  const args = readArgs(process.argv.slice(2), MEASURES);
  if (args.help) return console.log(args.help);

  const about = { startedAt: new Date().toISOString(), machine: facts(), args };
  const measures = MEASURES.filter((measure) => args.only.includes(measure.name));
  const report = new Report([...args.systems, ...args.variants.map((variant) => variant.name), ...args.builds.map((build) => build.name)]);
  const open = []; // what must be stopped, the latest first
  const interrupted = new Promise((resolve, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => reject(new Error(`stopped by ${signal}`)));
  });

  console.log(`Node ${process.version}, ${about.machine.cores} × ${about.machine.cpu}, seed ${args.seed}`);
  about.machine.busyBefore = await othersBusy();
  try {
    await Promise.race([interrupted, runAll({ args, measures, report, about, open })]);
  } finally {
    progress('');
    for (const stop of open.reverse()) await stop();
  }
  about.machine.busyAfter = await othersBusy();
  const file = args.out ?? path.join(__dirname, 'results', `${about.startedAt.replace(/[:.]/g, '-')}.json`);
  console.log(`\nJSON: ${path.relative(process.cwd(), report.write(file, about))}`);
}

/** The part of the cores that others use; says so where it must show in the figures. */
async function othersBusy() {
  const part = await busy();
  if (part > QUIET) console.log(`Others use ${Math.round(part * 100)} % of the cores: figures are low, ratios less so`);
  return part;
}

async function runAll({ args, measures, report, about, open }) {
  const pairs = await startSystems({ args, about, open });
  for (const pair of pairs.filter((p) => measures.some((m) => m.systems.includes(p.kind)))) {
    progress(`warming up ${pair.name}`);
    for (const { kind, size } of payloadCells(args.payloads)) {
      await pair.client.call('asks', { kind, size, inFlight: 64, leadMs: 0, windowMs: WARM_UP_MS, seed: args.seed });
    }
  }
  for (const measure of measures) {
    const taking = pairs.filter((pair) => measure.systems.includes(pair.kind));
    if (taking.length === 0) continue;
    await measure.run({
      pairs: taking,
      payloads: args.payloads,
      rounds: args.rounds,
      windowMs: args.windowMs,
      leadMs: LEAD_MS,
      quick: args.quick,
      seconds: args.seconds,
      workers: args.workers,
      seed: args.seed,
      random: seeded(args.seed).below,
      progress: (text) => progress(`${measure.name}: ${text}`),
      add: (where, figures) => report.add({ measure: measure.name, ...where }, { ...figures, load: load() }),
    });
    progress('');
    console.log(report.lines(measure).join('\n'));
  }
}

/** One pair of processes per system; a system that cannot start is left out with a line that says why. */
async function startSystems({ args, about, open }) {
  const wanted = args.systems.map((kind) => ({ name: kind, kind, options: {} }));
  wanted.push(...args.variants.map(({ name, options }) => ({ name, kind: 'dworker', options })));
  wanted.push(...args.builds.map(({ name, folder }) => ({ name, kind: 'dworker', options: {}, folder })));
  let redis;
  if (wanted.some(({ kind }) => kind === 'dworker')) {
    redis = await startRedis({ program: args.redis });
    open.push(() => redis.stop());
    about.machine.redis = await version(redis);
  }
  const pairs = [];
  for (const { name, kind, options, folder } of wanted) {
    const settings = kind === 'dworker' ? { redis: { host: redis.host, port: redis.port }, ns: `bench-${name}`, options } : {};
    try {
      const reason = kind === 'dworker' && loadError(folder);
      if (reason) throw new Error(reason);
      const pair = await startPair({ name, kind, settings, folder });
      open.push(pair.stop);
      pairs.push(pair);
    } catch (error) {
      console.log(`${name} is left out: ${error.message}`);
      process.exitCode = 1;
      about.leftOut = { ...about.leftOut, [name]: error.message };
    }
  }
  return pairs;
}

/** One line that is written over, for a person who waits; nothing where stderr is no terminal. */
function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
