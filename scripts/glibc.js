'use strict';

/**
 * `npm run glibc [-- FILE…]`: fails if an addon for Linux needs a newer glibc than docs/platforms.md promises. Run on release builds, which
 * are linked by zig against that one; an addon that was built on a developer's system needs what that system has.
 */

const { readFileSync, readdirSync } = require('node:fs');
const { basename, join } = require('node:path');
const { OLDEST_GLIBC } = require('../lib/base/load-failure');
const { ROOT } = require('./support/prepare');
const { Unmet, main, say } = require('./support/terminal');

const parts = (version) => version.split('.').map(Number);

/** Sorts versions: negative where `a` is the older one. */
function compare(a, b) {
  const [left, right] = [parts(a), parts(b)];
  const at = left.findIndex((part, index) => part !== (right[index] ?? 0));
  return at === -1 ? left.length - right.length : left[at] - (right[at] ?? 0);
}

/** The newest glibc that a program needs: the names of symbol versions stand in it as text, each ended by a zero byte. */
function neededGlibc(file) {
  const names = readFileSync(file).toString('latin1').matchAll(/\0GLIBC_(\d+(?:\.\d+)+)(?=\0)/g);
  return [...new Set([...names].map(([, version]) => version))].sort(compare).at(-1);
}

function addons() {
  return readdirSync(ROOT).filter((name) => /^dworker\.linux-.*-gnu\.node$/.test(name)).map((name) => join(ROOT, name));
}

module.exports = { compare, neededGlibc };

if (require.main === module) {
  main(() => {
    const files = process.argv.length > 2 ? process.argv.slice(2) : addons();
    if (files.length === 0) throw new Unmet('There is no dworker.linux-*-gnu.node here. Build one, or name a file.');
    const needed = files.map((file) => ({ file, version: neededGlibc(file) }));
    for (const { file, version } of needed) say(`${basename(file)} needs glibc ${version}, ${OLDEST_GLIBC} is promised`);
    return needed.some(({ version }) => version === undefined || compare(version, OLDEST_GLIBC) > 0) ? 1 : 0;
  });
}
