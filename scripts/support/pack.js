'use strict';

/**
 * Makes the tarballs that users install: the main package, and one for each platform whose addon is built.
 *
 * In the repository the main package lists no platform packages, so that `npm ci` never looks for ones that are not
 * published yet; here they become its `optionalDependencies`.
 */

const { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } = require('node:fs');
const { execFileSync } = require('node:child_process');
const { join } = require('node:path');

const ROOT = join(__dirname, '..', '..');
const PLATFORMS = join(ROOT, 'npm');

const manifest = (folder) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));

/** The platform packages: folder, manifest, and the addon that each carries. */
function platforms() {
  return readdirSync(PLATFORMS).sort().map((name) => {
    const folder = join(PLATFORMS, name);
    const content = manifest(folder);
    return { name, folder, manifest: content, addon: join(ROOT, content.main) };
  });
}

/** What the main package's manifest says to those who install it. */
function published() {
  const { scripts: _scripts, devDependencies: _dev, ...content } = manifest(ROOT);
  return {
    ...content,
    optionalDependencies: Object.fromEntries(platforms().map((platform) => [platform.manifest.name, platform.manifest.version])),
  };
}

function npmPack(folder, destination) {
  const [{ filename }] = JSON.parse(execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', destination], {
    cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'],
  }));
  return join(destination, filename);
}

/**
 * Packs into a folder.
 *
 * @param {string} destination an existing folder
 * @returns {{main: string, platforms: Object<string, string>}} paths of the tarballs; platforms by the name of their folder
 */
function pack(destination) {
  const packed = { main: '', platforms: {} };
  for (const { name, folder, addon } of platforms()) {
    if (!existsSync(addon)) continue;
    packed.platforms[name] = staged(destination, (stage) => {
      cpSync(folder, stage, { recursive: true });
      cpSync(join(ROOT, 'LICENSE'), join(stage, 'LICENSE'));
      cpSync(addon, join(stage, manifest(folder).main));
    });
  }
  packed.main = staged(destination, (stage) => {
    for (const file of [...manifest(ROOT).files, 'README.md', 'LICENSE']) cpSync(join(ROOT, file), join(stage, file), { recursive: true });
    writeFileSync(join(stage, 'package.json'), `${JSON.stringify(published(), null, 2)}\n`);
  });
  return packed;
}

function staged(destination, fill) {
  const stage = mkdtempSync(join(destination, 'stage-'));
  try {
    fill(stage);
    return npmPack(stage, destination);
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
}

/** An empty folder under target/ for tarballs. */
function destination() {
  const folder = join(ROOT, 'target', 'pack');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return folder;
}

module.exports = { ROOT, destination, npmPack, pack, platforms };
