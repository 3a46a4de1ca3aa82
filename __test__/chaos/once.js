'use strict';

/**
 * One fault, one variant, one seed.
 */

const { Figures } = require('./figures');
const { World } = require('./world');

const SHOWN = 5;

/**
 * @param {{fault: object, variant: string, seed: number}} run
 * @param {{addon: string=, keep: boolean=, patience: string=}} option
 * @returns {Promise<object>} a row of the table
 */
async function once({ fault, variant, seed }, option) {
  const row = { fault: fault.number, variant, seed, title: fault.title, target: fault.target, figures: [], violations: [], counts: {} };
  const missing = fault.needs && fault.needs(variant);
  if (missing) return { ...row, verdict: 'SKIP', text: `SKIPPED: ${missing}` };

  const began = Date.now();
  const world = new World(seed, option);
  const patience = Number(option.patience || 1);
  const figures = new Figures(patience);
  try {
    const { since, within = 1000, ...options } = (await fault.variants[variant](world, figures)) || {};
    const result = await world.finish({ ...options, within: within * patience });
    if (since !== undefined) figures.note('recovered', result.counts.recoveries);
    Object.assign(row, { violations: result.violations.map(({ invariant, text }) => `${invariant} ${text}`), counts: result.counts });
    row.counts.evictions = world.evictions(0);
    row.counts.overrunMost = Math.round(Math.max(0, ...result.overruns.map(({ ms }) => ms)));
  } catch (error) {
    row.violations.push(`run: ${error.message}${error.cause ? ` (${error.cause.message})` : ''}`);
    if (process.env.CHAOS_STACKS) row.violations.push(error.stack);
  }
  await world.end();
  row.figures = figures.list;
  row.seconds = Math.round((Date.now() - began) / 1000);
  row.verdict = figures.passed && row.violations.length === 0 ? 'pass' : 'FAIL';
  row.text = [figures.toString(), told(row.violations)].filter((text) => text !== '').join(', ');
  if (option.keep) row.text += `\n      histories: ${world.directory}`;
  return row;
}

/** The first violations of each kind, and how many there are. */
function told(violations) {
  const kinds = new Map();
  for (const text of violations) {
    const kind = text.split(' ', 1)[0];
    kinds.set(kind, [...(kinds.get(kind) || []), text]);
  }
  return [...kinds.values()].flatMap((list) => [
    ...list.slice(0, SHOWN).map((text) => `\n      ✗ ${text}`),
    ...(list.length > SHOWN ? [`\n      ✗ … ${list.length} of ${list[0].split(' ', 1)[0]}`] : []),
  ]).join('');
}

module.exports = { once };
