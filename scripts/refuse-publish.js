'use strict';

/** Keeps `npm publish` from the repository's folder away: that package would name no platform packages. */

const { Unmet, main } = require('./support/terminal');

main(() => {
  throw new Unmet('Publish the tarballs that `npm run pack:all` writes to target/pack, the platform packages first (see CONTRIBUTING.md).');
});
