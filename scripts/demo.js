'use strict';

/** `npm run demo`: prepares a fresh clone, then shows what dworker does. */

const { join } = require('node:path');
const { ROOT, addon, packages, tools } = require('./support/prepare');
const { run } = require('./support/run');
const { main, step } = require('./support/terminal');

main(async () => {
  await tools();
  await packages();
  await addon();
  step('Demo');
  const { code, leaked } = await run(process.execPath, [join(ROOT, 'examples', 'demo', 'main.js')], { cwd: ROOT });
  if (leaked) console.error('The demo left processes running; they have been ended.');
  return code || Number(leaked);
});
