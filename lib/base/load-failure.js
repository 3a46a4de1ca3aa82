/**
 * What to say when the native addon cannot be loaded: the loader's own reason first, then what to do about that one.
 */
'use strict';

/** The oldest glibc that the prebuilt addons for Linux run on. `__test__/glibc.test.js` compares it with a release build. */
const OLDEST_GLIBC = '2.28';

const REINSTALL = 'It was probably copied from another machine, or its download was cut off. Delete node_modules and run "npm ci" on the machine that runs it.';

/** What to do, by what the operating system's loader or Node.js says. The first one that fits is given. */
const ADVICE = [
  {
    when: /GLIBC_[\d.]+' not found/,
    text: ({ glibc }) =>
      `The C library of this system${glibc ? ` (glibc ${glibc})` : ''} is older than the one that the addon was built for. Prebuilt addons need glibc ` +
      `${OLDEST_GLIBC} or newer (Debian 10, Ubuntu 18.10, RHEL 8): use a newer system or base image, or build the addon on this one.`,
  },
  {
    when: /ERR_DLOPEN_DISABLED|addons is disabled/,
    text: () => 'Node.js was started with "--permission" or "--no-addons". Add "--allow-addons", or remove "--no-addons".',
  },
  {
    when: /ERR_ACCESS_DENIED|restricted access|Access to this API has been restricted/i,
    text: () => 'Node.js was started with "--permission" and may not read the addon. Add "--allow-addons" and "--allow-fs-read" for the folder of the application.',
  },
  {
    when: /failed to map segment from shared object|[Oo]peration not permitted/,
    text: () =>
      'The file system that holds the addon does not allow programs to be run from it (mount option "noexec"), or a security policy forbids it. ' +
      'Install into another folder, or mount it without "noexec".',
  },
  {
    when: /libgcc_s/,
    text: () => 'The library libgcc_s is missing. On Alpine run "apk add libgcc".',
  },
  {
    when: /ld-linux|ld-musl|libc\.musl|libc\.so\.6|Error relocating/,
    text: () => 'The addon was built for another C library (glibc or musl) than this system has. Delete node_modules and run "npm ci" here.',
  },
  {
    when: /\.node: cannot open shared object file|wrong ELF class|invalid ELF header|ELF file|file too short|[Ee]xec format error|incompatible architecture|mach-o|not a valid Win32 application/,
    text: ({ platform, arch }) => `The file is no addon for ${platform}-${arch}. ${REINSTALL}`,
  },
  {
    when: /version mismatch/,
    text: () => 'The packages "dworker" and its platform package have different versions. Delete node_modules and the lock file\'s entries of both, and install again.',
  },
];

const OTHERWISE = 'Delete node_modules and run "npm ci". If that does not help, build the addon on this system.';

/** All errors of a chain of causes. */
function chain(error) {
  const errors = [];
  for (let each = error; each instanceof Error && !errors.includes(each); each = each.cause) errors.push(each);
  return errors;
}

/** Whether an error only says that no addon is installed under that name. `binding.js` tries several names. */
function isAbsence({ code, message }) {
  return code === 'MODULE_NOT_FOUND' || /^(Cannot find module|Cannot find native binding|WASI binding not found)/.test(message);
}

/**
 * The message of the error that the application gets.
 *
 * @param {Error} error of `binding.js`; its causes are what happened with each name that it tried
 * @param {{platform: string, arch: string, node: string, glibc: string=, packageName: string}} system
 */
function explainLoadFailure(error, system) {
  const { platform, arch, node, packageName } = system;
  const here = `${platform}-${arch}, Node ${node}`;
  const found = chain(error).find((each) => !isAbsence(each));
  if (found === undefined) {
    return (
      `The native addon of dworker is not installed (${here}).\n` +
      `Installed as a package: run "npm install ${packageName}", or install again without "--omit=optional".\n` +
      'In a checkout: run "npm install", then "npm run build" (needs Rust: https://rustup.rs).\n' +
      `Reason: ${error.message}`
    );
  }
  const reason = `${found.code ? `${found.code}: ` : ''}${found.message}`;
  const advice = ADVICE.find(({ when }) => when.test(reason));
  return (
    `The native addon of dworker is installed but cannot be loaded: ${reason}\n` +
    `${advice === undefined ? OTHERWISE : advice.text(system)}\n` +
    `This is ${here}. To build the addon: "npm run build" in a checkout (needs Rust: https://rustup.rs).`
  );
}

module.exports.OLDEST_GLIBC = OLDEST_GLIBC;
module.exports.explainLoadFailure = explainLoadFailure;
