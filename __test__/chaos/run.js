'use strict';

/** `npm run chaos`: causes faults, checks what happened, and prints a table of figures against targets. */

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { faults } = require('./faults');
const { nemesis } = require('./nemesis');
const { once } = require('./once');
const { say, summary } = require('./table');

const SEEDS = 3;
const USAGE = `npm run chaos                              all faults, ${SEEDS} seeds each
npm run chaos -- --fault 2 --seed 7        one again (--fault 2,3 or --fault 4/empty for one variant)
npm run chaos -- --short                   the selection of npm test (which adds --patience 3)
npm run chaos -- --nemesis 30m --seed 1    random faults
npm run chaos -- --list                    what there is
also: --seeds N, --addon FILE.node, --jobs N, --keep (histories stay), --patience N (limits of time times N), --until-violation and --without 'FLUSHALL,empty Redis' (of a nemesis), --results FILE.json`;

const { values } = parseArgs({
  options: {
    fault: { type: 'string' }, seed: { type: 'string' }, seeds: { type: 'string' }, short: { type: 'boolean' },
    list: { type: 'boolean' }, nemesis: { type: 'string' }, addon: { type: 'string' }, jobs: { type: 'string' },
    keep: { type: 'boolean' }, 'until-violation': { type: 'boolean' }, without: { type: 'string' }, results: { type: 'string' }, patience: { type: 'string' }, help: { type: 'boolean' },
  },
});

function duration(text) {
  const [, digits, unit] = /^(\d+)(s|m|h)$/.exec(text) || [];
  if (digits === undefined) throw new Error(`Expected a time as 90s, 30m or 2h for --nemesis but received ${text}`);
  return Number(digits) * { s: 1000, m: 60000, h: 3600000 }[unit];
}

/** Every (fault, variant, seed) that was asked for. */
function plan() {
  const wanted = values.fault === undefined ? undefined : values.fault.split(',').map((one) => one.split('/'));
  const count = values.short ? 1 : Number(values.seeds || SEEDS);
  const first = Number(values.seed || 1);
  const seeds = values.seed !== undefined && values.seeds === undefined ? [first] : Array.from({ length: count }, (_, n) => first + n);
  const runs = [];
  for (const fault of faults) {
    for (const variant of Object.keys(fault.variants)) {
      const asked = wanted === undefined
        ? !values.short || (fault.short || []).includes(variant)
        : wanted.some(([number, name]) => Number(number) === fault.number && (name === undefined || name === variant));
      if (asked) for (const seed of seeds) runs.push({ fault, variant, seed });
    }
  }
  return runs;
}

function list() {
  for (const { number, title, target, variants, short = [] } of faults) {
    const names = Object.keys(variants).map((name) => (short.includes(name) ? `${name}*` : name)).join(', ');
    console.log(`${String(number).padStart(2)}  ${title}: ${names}\n    ${target}`);
  }
  console.log('\n* part of --short');
}

/** Runs them, `jobs` at a time. */
async function runAll(runs, jobs) {
  const rows = [];
  const left = [...runs];
  const lane = async () => {
    while (left.length > 0) {
      const row = await once(left.shift(), values);
      rows.push(row);
      say(row);
    }
  };
  await Promise.all(Array.from({ length: jobs }, lane));
  return rows.sort((a, b) => a.fault - b.fault || a.variant.localeCompare(b.variant) || a.seed - b.seed);
}

async function main() {
  if (values.help) return console.log(USAGE);
  if (values.list) return list();
  const began = Date.now();
  const rows = values.nemesis === undefined
    ? await runAll(plan(), Number(values.jobs || (values.short ? 2 : 1)))
    : await nemesis(duration(values.nemesis), Number(values.seed || 1), values);
  if (rows.length === 0) throw new Error(`No such fault: ${values.fault}\n${USAGE}`);
  const file = values.results || path.join(os.tmpdir(), `dworker-chaos-${process.pid}.json`);
  fs.writeFileSync(file, `${JSON.stringify(rows, undefined, 1)}\n`);
  console.log(`\n${summary(rows, Date.now() - began)}\nresults: ${file}`);
  process.exitCode = rows.every(({ verdict }) => verdict !== 'FAIL') ? 0 : 1;
  return undefined;
}

main().then(() => process.exit(), (error) => {
  console.error(error);
  process.exit(2);
});
