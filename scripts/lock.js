'use strict';

/**
 * `npm run lock`: writes package-lock.json anew from package.json.
 *
 * npm leaves out of the lock what it cannot look up, and a mirror that serves the packages of one platform only makes
 * it leave out those of all others; `npm ci` then refuses the lock. So the missing ones are put in by version.
 */

const { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { ROOT } = require('./support/prepare');
const { run } = require('./support/run');
const { Unmet, main, say } = require('./support/terminal');

const SYSTEMS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32'];
const PROCESSORS = { arm: /-arm(-|$)/, arm64: /-arm64(-|$)/, ia32: /-ia32(-|$)/, loong64: /-loong64(-|$)/, mips64el: /-mips64el(-|$)/, ppc64: /-ppc64(le)?(-|$)/,
  riscv64: /-riscv64(-|$)/, s390x: /-s390x(-|$)/, wasm32: /-wasm32(-|$)/, x64: /-x64(-|$)/ };

/** For which machines a platform package is, by its name. */
function platform(name) {
  const os = SYSTEMS.filter((system) => name.includes(`-${system}-`));
  const cpu = Object.keys(PROCESSORS).filter((processor) => PROCESSORS[processor].test(name));
  return { ...(cpu.length && { cpu }), ...(os.length && { os }) };
}

/** Adds the optional packages that the lock names but does not hold; how many there were. */
function complete(lock) {
  let added = 0;
  for (const entry of Object.values(lock.packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies || {})) {
      const path = `node_modules/${name}`;
      if (lock.packages[path]) continue;
      if (!/^\d/.test(version)) throw new Unmet(`${name} is missing in the lock, and ${version} names no single version.`);
      lock.packages[path] = { version, ...platform(name), ...(entry.dev && { dev: true }), optional: true };
      added += 1;
    }
  }
  lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
  return added;
}

main(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'dworker-lock-'));
  try {
    for (const file of ['package.json', '.npmrc']) cpSync(join(ROOT, file), join(folder, file));
    const { code } = await run('npm', ['install', '--package-lock-only', '--ignore-scripts', '--no-audit', '--loglevel=error'], { cwd: folder });
    if (code !== 0) throw new Unmet('npm could not make a lock: see above.');
    const lock = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8'));
    const added = complete(lock);
    writeFileSync(join(ROOT, 'package-lock.json'), `${JSON.stringify(lock, null, 2)}\n`);
    say(`${Object.keys(lock.packages).length - 1} packages, ${added} of them for other platforms and without a checksum`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
