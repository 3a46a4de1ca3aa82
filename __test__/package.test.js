'use strict';

const assert = require('node:assert');
const { execFileSync, spawnSync } = require('node:child_process');
const { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { after, before, test } = require('node:test');
const { ROOT, npmPack, pack, platforms } = require('../scripts/support/pack');

const HERE = 'linux-x64-gnu';
const elsewhere = process.platform !== 'linux' || process.arch !== 'x64' || !process.report.getReport().header.glibcVersionRuntime;
const skip = elsewhere && `packs ${HERE} only`;

let folder;
let packed;
let dependencies;

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'dworker-package-'));
  mkdirSync(join(folder, 'tarballs'));
  packed = pack(join(folder, 'tarballs'));
  dependencies = ['bluebird', 'croner'].map((name) => npmPack(join(ROOT, 'node_modules', name), join(folder, 'tarballs')));
  // A PATH with node and a shell: no compiler, no cargo.
  mkdirSync(join(folder, 'bin'));
  symlinkSync(process.execPath, join(folder, 'bin', 'node'));
  symlinkSync('/bin/sh', join(folder, 'bin', 'sh'));
});

after(() => rmSync(folder, { recursive: true, force: true }));

const which = (program) => execFileSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).trim();
const environment = (name) => ({ PATH: join(folder, 'bin'), HOME: join(folder, name), npm_config_cache: join(folder, name, 'cache') });

/** Installs tarballs into an empty folder with nothing in npm's cache and no network. */
function install(name, tarballs) {
  const at = join(folder, name);
  mkdirSync(at);
  writeFileSync(join(at, 'package.json'), '{"name":"user","version":"1.0.0"}');
  execFileSync(process.execPath, [realpathSync(which('npm')), 'install', '--offline', '--no-audit', '--no-fund', ...tarballs], {
    cwd: at, env: environment(name), stdio: ['ignore', 'ignore', 'pipe'],
  });
  return at;
}

function node(at, args) {
  return spawnSync(process.execPath, args, { cwd: at, env: environment('.'), encoding: 'utf8', timeout: 30000 });
}

const PROGRAM = `
class Echo extends Worker {
  async onAsk(method, data) { return { method, data }; }
}
async function main() {
  const br = new Broker('packed', { redis: 'memory://' });
  br.registerWorker(Echo);
  await br.start();
  const echo = await br.createWorker('Echo');
  console.log(echo.id, JSON.stringify(await echo.ask('greet', [1, 'ü'])));
  await br.destroy();
  await br.quit();
}
main();`;
const PRINTS = 'Echo#1 {"method":"greet","data":[1,"ü"]}\n';

const listing = (tarball) => execFileSync('tar', ['-tzf', tarball], { encoding: 'utf8' }).trim().split('\n').map((path) => path.replace(/^package\//, '')).sort();

test('the packed packages install together offline and without a compiler, and work by require and by import', { skip }, () => {
  const at = install('both', [packed.main, packed.platforms[HERE], ...dependencies]);
  const required = node(at, ['-e', `const { Broker, Worker } = require('dworker');${PROGRAM}`]);
  assert.deepStrictEqual([required.stdout, required.stderr, required.status], [PRINTS, '', 0]);
  const imported = node(at, ['--input-type=module', '-e', `import { Broker, Worker, Agent, Router } from 'dworker';
    if (![Broker, Worker, Agent, Router].every((each) => typeof each === 'function')) throw new Error('an export is missing');${PROGRAM}`]);
  assert.deepStrictEqual([imported.stdout, imported.stderr, imported.status], [PRINTS, '', 0]);
});

test('loading without a binary says what to run', () => {
  const at = install('main-only', [packed.main, ...dependencies]);
  const { status, stderr } = node(at, ['-e', "require('dworker')"]);
  assert.notStrictEqual(status, 0);
  assert.match(stderr, /npm (run build|install)/);
  assert.match(stderr, new RegExp(`${process.platform}.*${process.arch}`, 's'));
});

test('the main tarball holds the JavaScript, the types and the documentation, and nothing else', () => {
  const files = listing(packed.main);
  const allowed = /^(index\.js|index\.d\.ts|binding\.js|package\.json|README\.md|CHANGELOG\.md|LICENSE|lib\/[\w/-]+\.js|docs\/[\w/.-]+\.md)$/;
  assert.deepStrictEqual(files.filter((file) => !allowed.test(file)), []);
  for (const needed of ['index.js', 'index.d.ts', 'binding.js', 'package.json', 'README.md', 'LICENSE', 'lib/base/native.js', 'docs/reference/broker.md']) {
    assert.ok(files.includes(needed), `${needed} is missing among ${files}`);
  }
});

test('publint finds nothing wrong with the main tarball', async (t) => {
  let tools;
  try {
    tools = await Promise.all([import('publint'), import('publint/utils')]);
  } catch {
    t.skip('publint is not installed: run "npm ci"');
    return;
  }
  const at = join(folder, 'extracted');
  mkdirSync(at);
  execFileSync('tar', ['-xzf', packed.main, '-C', at]);
  const [{ publint }, { formatMessage }] = tools;
  const { messages, pkg } = await publint({ pkgDir: join(at, 'package'), pack: false, strict: true });
  assert.deepStrictEqual(messages.map((message) => formatMessage(message, pkg, { color: false })), []);
});

test('a platform tarball holds its addon and nothing else', { skip }, () => {
  assert.deepStrictEqual(listing(packed.platforms[HERE]), ['LICENSE', 'README.md', `dworker.${HERE}.node`, 'package.json']);
});

test('every module that the main tarball requires is in it or among its dependencies', () => {
  const files = listing(packed.main);
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const missing = files.filter((file) => file.endsWith('.js') && file !== 'binding.js').flatMap((file) => {
    const source = readFileSync(join(ROOT, file), 'utf8');
    return [...source.matchAll(/\brequire\('([^']+)'\)/g)].map(([, name]) => name).filter((name) => {
      if (!name.startsWith('.')) return !name.startsWith('node:') && !require('node:module').isBuiltin(name) && !(name in dependencies);
      const path = join(file, '..', name);
      return ![path, `${path}.js`, join(path, 'index.js')].some((candidate) => files.includes(candidate));
    }).map((name) => `${name} in ${file}`);
  });
  assert.deepStrictEqual(missing, []);
});

test('the versions of all packages agree, and each target has its package', () => {
  const main = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const crate = /^version = "(.+)"$/m.exec(readFileSync(join(ROOT, 'Cargo.toml'), 'utf8'))[1];
  assert.strictEqual(crate, main.version);
  for (const platform of platforms()) {
    assert.strictEqual(platform.manifest.version, main.version, platform.name);
    assert.strictEqual(platform.manifest.name, `${main.napi.packageName}-${platform.name}`);
  }
  assert.strictEqual(platforms().length, main.napi.targets.length);
});

test('package-lock.json names no host that packages come from', () => {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'));
  const named = Object.entries(packages).filter(([, entry]) => 'resolved' in entry);
  assert.deepStrictEqual(named, []);
});
