'use strict';

const { spawnSync } = require('node:child_process');
const { join } = require('node:path');

/** `npm run test:runtimes` installs the programs here. */
const FOLDER = join(__dirname, '..', '..', 'target', 'runtimes');

/** Other runtimes than Node.js: the name of the program and of its npm package, and how it runs a file. */
const RUNTIMES = [
  { name: 'deno', args: ['run', '--allow-all'] },
  { name: 'bun', args: [] },
];

/** The command that runs a file, or null where the program is not there. */
function commandOf({ name, args }) {
  const candidates = [join(FOLDER, 'node_modules', '.bin', name), name];
  const found = candidates.find((program) => spawnSync(program, ['--version'], { stdio: 'ignore', timeout: 20000 }).status === 0);
  return found === undefined ? null : [found, ...args];
}

module.exports = { FOLDER, RUNTIMES, commandOf };
