'use strict';

/**
 * `npm run glibc:old [-- FOLDER]`: runs a built package, by default this one, on the C library of an old Debian: the oldest one of
 * {@link SYSTEMS} that can be downloaded. Ends with 1 if the addon cannot be loaded there or a worker does not answer.
 */

const { mkdirSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { ROOT } = require('./support/prepare');
const { run, which } = require('./support/run');
const { main, say, step } = require('./support/terminal');

/** The first one has the oldest glibc that is promised. */
const SYSTEMS = [
  {
    name: 'Debian 10',
    glibc: '2.28',
    archive: 'https://archive.debian.org/debian/pool/main',
    packages: ['g/glibc/libc6_2.28-10+deb10u1_amd64.deb', 'g/gcc-8/libgcc1_8.3.0-6_amd64.deb', 'g/gcc-8/libstdc++6_8.3.0-6_amd64.deb'],
  },
  {
    name: 'Debian 11',
    glibc: '2.31',
    archive: 'https://deb.debian.org/debian/pool/main',
    packages: ['g/glibc/libc6_2.31-13+deb11u11_amd64.deb', 'g/gcc-10/libgcc-s1_10.2.1-6_amd64.deb', 'g/gcc-10/libstdc++6_10.2.1-6_amd64.deb'],
  },
];

const FOLDER = join(ROOT, 'target', 'old-glibc');
const DOWNLOAD_MS = 60_000;

/** Says which glibc the process has, once a worker answered. */
const PROGRAM = `
  const { Broker, Worker } = require(process.argv[1]);
  class Room extends Worker {
    onAsk(method, data) {
      return data;
    }
  }
  async function main() {
    const broker = new Broker('old', { redis: 'memory://' });
    broker.registerWorker(Room);
    await broker.start();
    const room = await broker.createWorker('Room');
    await room.ask('echo', 'hello');
    await broker.destroy();
    broker.quit();
    console.log(process.report.getReport().header.glibcVersionRuntime);
  }
  main();
`;

async function download(url) {
  const response = await globalThis.fetch(url, { signal: AbortSignal.timeout(DOWNLOAD_MS) });
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
  return Buffer.from(await response.arrayBuffer());
}

/** Unpacks the system's libraries; their root folder. */
async function unpack({ glibc, archive, packages }) {
  const root = join(FOLDER, glibc);
  mkdirSync(root, { recursive: true });
  for (const name of packages) {
    const file = join(root, name.split('/').at(-1));
    writeFileSync(file, await download(`${archive}/${name}`));
    const { code } = await run('dpkg-deb', ['-x', file, root]);
    if (code !== 0) throw new Error(`dpkg-deb could not unpack ${file}`);
  }
  return root;
}

/** The oldest system that can be had, and its root folder; null where none can. */
async function oldest() {
  for (const system of SYSTEMS) {
    try {
      return { system, root: await unpack(system) };
    } catch (error) {
      say(`${system.name} (glibc ${system.glibc}) cannot be had here: ${error.cause?.message ?? error.message}`);
    }
  }
  return null;
}

main(async () => {
  if (process.platform !== 'linux' || process.arch !== 'x64' || !which('dpkg-deb')) {
    say('SKIPPED: this runs on Linux x64, and needs dpkg-deb.');
    return 0;
  }
  step('Downloading an old C library');
  const found = await oldest();
  if (found === null) {
    say('SKIPPED: no archive of an old Debian can be reached. Nothing was shown.');
    return 0;
  }
  const { system, root } = found;
  step(`Running a broker on the glibc ${system.glibc} of ${system.name}`);
  const libraries = join(root, 'lib', 'x86_64-linux-gnu');
  const path = [libraries, join(root, 'usr', 'lib', 'x86_64-linux-gnu')].join(':');
  const args = ['--library-path', path, process.execPath, '-e', PROGRAM, process.argv[2] ?? ROOT];
  const { code, output } = await run(join(libraries, 'ld-linux-x86-64.so.2'), args, { capture: true });
  return code === 0 && output.trim() === system.glibc ? 0 : 1;
});
