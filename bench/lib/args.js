/** The command line of the benchmark. */
'use strict';

const path = require('node:path');
const { parseArgs } = require('node:util');
const { KINDS } = require('./payload');
const { DEFAULT_SYSTEMS, SYSTEMS } = require('./systems');

const USAGE = `npm run bench -- [options]
  --quick             fewer and shorter windows: within a minute
  --only a,b          these measurements (default: all that are not marked with *): MEASURES
  --systems a,b       these systems (default: DEFAULT); all: SYSTEMS
  --payloads a,b      what is sent (default: object,entities); all: PAYLOADS
  --variant n=JSON    one more dworker under the name n, with these broker options; repeatable
  --build n=folder    one more dworker under the name n, from another checkout that is built; repeatable. The name "before"
                      gets columns of its own: how many times as fast this build is
  --rounds n          rounds of each window
  --window n          ms that a window is counted
  --seconds n         s that the soak goes on
  --workers a,b       workers that the killed process of the recovery has
  --seed n            of payloads and order
  --redis program     redis-server to start
  --out file          where the JSON goes (default: bench/results/<time>.json)
  --help`;

const OPTIONS = {
  quick: { type: 'boolean' },
  only: { type: 'string' },
  systems: { type: 'string', default: DEFAULT_SYSTEMS.join(',') },
  payloads: { type: 'string', default: 'object,entities' },
  variant: { type: 'string', multiple: true, default: [] },
  build: { type: 'string', multiple: true, default: [] },
  rounds: { type: 'string' },
  window: { type: 'string' },
  seconds: { type: 'string', default: '300' },
  workers: { type: 'string', default: '1000' },
  seed: { type: 'string' },
  redis: { type: 'string', default: 'redis-server' },
  out: { type: 'string' },
  help: { type: 'boolean' },
};

/** → settings of the run; throws an Error with one readable line. */
function readArgs(argv, measures) {
  const { values } = parseArgs({ args: argv, options: OPTIONS });
  const byDefault = measures.filter((measure) => !measure.optional).map((measure) => measure.name);
  const names = measures.map((measure) => measure.name);
  return {
    help: values.help && usage(measures),
    quick: Boolean(values.quick),
    only: list(values.only ?? byDefault.join(','), names, '--only'),
    systems: list(values.systems, SYSTEMS, '--systems'),
    payloads: list(values.payloads, KINDS, '--payloads'),
    variants: values.variant.map(variant),
    builds: values.build.map(build),
    rounds: number(values.rounds ?? (values.quick ? '3' : '7'), '--rounds'),
    windowMs: number(values.window ?? (values.quick ? '150' : '400'), '--window'),
    seconds: number(values.seconds, '--seconds'),
    workers: values.workers.split(',').map((count) => number(count, '--workers')),
    seed: number(values.seed ?? String(1 + (Date.now() % 1e6)), '--seed'),
    redis: values.redis,
    out: values.out,
  };
}

function usage(measures) {
  const names = measures.map((measure) => measure.name + (measure.optional ? '*' : ''));
  return USAGE.replace('MEASURES', names.join(', ')).replace('DEFAULT', DEFAULT_SYSTEMS.join(','))
    .replace('SYSTEMS', SYSTEMS.join(', ')).replace('PAYLOADS', KINDS.join(', '));
}

function list(text, allowed, option) {
  const names = text.split(',').map((name) => name.trim());
  for (const name of names) {
    if (!allowed.includes(name)) throw expected(`one of ${allowed.join(', ')}`, option, name);
  }
  return names;
}

function number(text, option) {
  const value = Number(text);
  if (!(Number.isInteger(value) && value > 0)) throw expected('a positive whole number', option, text);
  return value;
}

function variant(text) {
  const [, name, json] = /^([\w-]+)=(\{.*\})$/s.exec(text) ?? [];
  try {
    if (name) return { name, options: JSON.parse(json) };
  } catch {
    // told below, with the option's name
  }
  throw expected('name={JSON object}', '--variant', text);
}

function build(text) {
  const [, name, folder] = /^([\w-]+)=(.+)$/s.exec(text) ?? [];
  if (!name) throw expected('name=folder', '--build', text);
  return { name, folder: path.resolve(folder) };
}

function expected(what, option, value) {
  return new Error(`Expected ${what} for ${option} but received ${JSON.stringify(value)} of type ${typeof value}`);
}

module.exports = { readArgs };
