'use strict';

/** `npm run test:types`: compiles `__test__/types` and `__test__/types/registered` against `index.d.ts` with the oldest compiler that is promised and with the newest that is installed. */

const { existsSync } = require('node:fs');
const { join } = require('node:path');
const { ROOT } = require('./support/prepare');
const { run } = require('./support/run');
const { main, say } = require('./support/terminal');

const COMPILERS = ['typescript-5', 'typescript'];
/** The second one declares worker classes by their names, which goes for a whole program. */
const PROGRAMS = ['__test__/types', '__test__/types/registered'];

main(async () => {
  let failed = 0;
  for (const name of COMPILERS) {
    const folder = join(ROOT, 'node_modules', name);
    if (!existsSync(folder)) {
      say(`SKIPPED: the compiler ${name} is not installed: run "npm ci".`);
      continue;
    }
    const { version } = require(join(folder, 'package.json'));
    for (const program of PROGRAMS) {
      const { code } = await run(process.execPath, [join(folder, 'bin', 'tsc'), '--project', program], { cwd: ROOT });
      say(`TypeScript ${version}, ${program}: ${code === 0 ? 'compiles' : 'FAILED'}`);
      if (code !== 0) failed += 1;
    }
  }
  return failed === 0 ? 0 : 1;
});
