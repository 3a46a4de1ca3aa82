'use strict';

/** `npm run pack:all`: writes the tarballs of a release to target/pack. */

const { existsSync } = require('node:fs');
const { destination, pack, platforms } = require('./support/pack');
const { Unmet, main, say, step } = require('./support/terminal');

main(() => {
  step('Packing');
  if (!platforms().some(({ addon }) => existsSync(addon))) {
    throw new Unmet('No addon is built. Run `npm run build`, or put the addons of other platforms beside package.json.');
  }
  const { main: tarball, platforms: packed } = pack(destination());
  for (const { name, addon } of platforms()) say(`${name}: ${packed[name] || `left out, ${addon} is not there`}`);
  say(`main: ${tarball}`);
});
