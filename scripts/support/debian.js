'use strict';

/** Installs programs from Debian's packages where the user may. */

const { ask, run, which } = require('./run');
const { Unmet, say } = require('./terminal');

/** The words before a command that makes it run as root; null where the user may not. */
function asRoot() {
  if (process.getuid?.() === 0) return [];
  return ask('sudo', ['-n', 'true']) === null ? null : ['sudo', '-n'];
}

/**
 * Installs a package that brings a program.
 *
 * @param {string} name the package
 * @param {string} program what it must bring
 * @param {string} reason why it is needed, for the message that says how to go on by hand
 * @returns {Promise<string>} the program's path
 */
async function install(name, program, reason) {
  const byHand = `${reason} Install it, for example with \`apt-get install ${name}\` as root, then run this again.`;
  if (!which('apt-get')) throw new Unmet(`${program} is missing, and this is no Debian that could install it. ${byHand}`);
  const root = asRoot();
  if (!root) throw new Unmet(`${program} is missing, and this user may not install packages (neither root nor \`sudo -n\`). ${byHand}`);
  say(`installing ${name} with apt-get`);
  const [command, ...first] = [...root, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-q', '-o', 'Dpkg::Use-Pty=0'];
  const apt = (...args) => run(command, [...first, ...args]);
  const updated = await apt('update');
  const installed = updated.code === 0 ? await apt('install', '-y', '--no-install-recommends', name) : updated;
  const path = which(program);
  if (installed.code !== 0 || !path) throw new Unmet(`${program} is missing, and apt-get could not install ${name}: see above. ${byHand}`);
  return path;
}

module.exports = { install };
