'use strict';

/**
 * `node scripts/bundlers.js`: bundles a program that uses the built package with esbuild and webpack, as their packages are now, in both
 * ways that docs/platforms.md describes, and runs each bundle. They are installed into a temporary folder.
 */

const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const root = path.join(__dirname, '..');
const EXPECTED = '42';
/** Characters of the output of a program that failed. */
const SHOWN = 1000;

const PROGRAM = `
const { Broker, Worker } = require('dworker');
class Cart extends Worker {
  static classname = 'Cart';
  onAsk(method, data) { return 2 * data; }
}
async function main() {
  const broker = new Broker('b', { redis: 'memory://bundlers' });
  broker.registerWorker(Cart);
  await broker.start();
  const agent = await broker.createWorker('Cart');
  console.log(await agent.ask('double', 21));
  await broker.destroy();
  broker.quit();
}
main();
`;

const webpackConfig = (externals) => `module.exports = { mode: 'production', target: 'node20', entry: './app.js', output: { path: __dirname, filename: 'out.js' }, externals: ${externals} };`;

const files = {
  'app.js': PROGRAM,
  'package.json': '{"private": true}',
  'whole.config.js': webpackConfig("{ dworker: 'commonjs dworker' }"),
  'addon.config.js': webpackConfig('[({ request }, done) => (/\\.node$|^@dworker\\//.test(request) ? done(null, `commonjs ${request}`) : done())]'),
};

const ESBUILD = ['node_modules/esbuild/bin/esbuild', 'app.js', '--bundle', '--minify', '--platform=node', '--outfile=out.js'];
const WEBPACK = [process.execPath, 'node_modules/webpack/bin/webpack.js', '--config'];

const bundles = [
  ['esbuild, the package outside', [...ESBUILD, '--external:dworker']],
  ['esbuild, the addon outside', [...ESBUILD, '--external:*.node', '--external:@dworker/*']],
  ['webpack, the package outside', [...WEBPACK, 'whole.config.js']],
  ['webpack, the addon outside', [...WEBPACK, 'addon.config.js']],
];

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dworker-bundlers-'));

function run([program, ...args]) {
  return spawnSync(program, args, { cwd: folder, encoding: 'utf8', timeout: 120_000 });
}

/** Puts the package and that of its platform where a program has them installed. */
function install() {
  for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(folder, name), text);
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--silent', 'esbuild', 'webpack', 'webpack-cli'], { cwd: folder, stdio: 'inherit' });
  const modules = path.join(folder, 'node_modules');
  fs.symlinkSync(root, path.join(modules, 'dworker'), 'dir');
  for (const addon of fs.readdirSync(root).filter((name) => name.endsWith('.node'))) {
    const home = path.join(modules, '@dworker', `binding-${addon.split('.')[1]}`);
    fs.mkdirSync(home, { recursive: true });
    fs.copyFileSync(path.join(root, addon), path.join(home, addon));
    fs.writeFileSync(path.join(home, 'package.json'), JSON.stringify({ version: require('../package.json').version, main: addon }));
  }
}

let failed = 0;
try {
  install();
  for (const [name, command] of bundles) {
    fs.rmSync(path.join(folder, 'out.js'), { force: true });
    const bundling = run(command);
    const running = run([process.execPath, 'out.js']);
    const works = bundling.status === 0 && running.status === 0 && running.stdout.trim() === EXPECTED;
    console.log(`${works ? 'ok    ' : 'FAILED'} ${name}`);
    if (works) continue;
    failed += 1;
    for (const { stdout, stderr } of [bundling, running]) console.log(stdout.slice(-SHOWN), stderr.slice(-SHOWN));
  }
} finally {
  fs.rmSync(folder, { recursive: true, force: true });
}
process.exitCode = failed;
