'use strict';

const assert = require('node:assert');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { delimiter, join } = require('node:path');
const { describe, test } = require('node:test');
const { startRedis } = require('../support/redis-server');
const { until } = require('../support/wait');

const DEMO = join(__dirname, '..', 'examples', 'demo', 'main.js');
const WITHIN_MS = 60000;

/** The demo in a process group and with a folder for temporary files of its own, so that what it leaves can be seen. */
class Run {
  constructor(t, env) {
    this.folder = mkdtempSync(join(tmpdir(), 'dworker-demo-test-'));
    mkdirSync(join(this.folder, 'tmp'));
    // The demo looks for `redis-server` on the PATH; a suite over several versions names the program.
    if (process.env.DWORKER_TEST_SERVER) symlinkSync(process.env.DWORKER_TEST_SERVER, join(this.folder, 'redis-server'));
    const PATH = `${this.folder}${delimiter}${process.env.PATH}`;
    this.child = spawn(process.execPath, [DEMO], {
      env: { ...process.env, PATH, DWORKER_REDIS_URL: '', ...env, TMPDIR: join(this.folder, 'tmp') },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    this.output = '';
    for (const stream of [this.child.stdout, this.child.stderr]) stream.setEncoding('utf8').on('data', (text) => { this.output += text; });
    this.closed = once(this.child, 'close');
    t.after(() => {
      if (this.groupLives()) process.kill(-this.child.pid, 'SIGKILL');
      rmSync(this.folder, { recursive: true, force: true });
    });
  }

  groupLives() {
    try {
      process.kill(-this.child.pid, 0);
      return true;
    } catch {
      return false;
    }
  }

  shows(pattern) {
    return until(`the demo prints ${pattern}`, () => {
      assert.strictEqual(this.child.exitCode, null, this.output);
      return pattern.test(this.output);
    }, WITHIN_MS);
  }

  /** The exit code, once nothing of the demo runs any more and no file of it is left. */
  async end() {
    const [code] = await this.closed;
    await until(`no process of the demo runs, which printed ${this.output}`, () => !this.groupLives());
    assert.deepStrictEqual(readdirSync(join(this.folder, 'tmp')), [], this.output);
    return code;
  }
}

const STORY = /1\. Three brokers.*2\. .*3\. .*4\. .*all 10 answer again.*5\. What happened.*10 of 10, same ids and attributes/s;

describe('the demo', () => {
  test('on a private redis-server kills a broker, shows its workers elsewhere, and leaves nothing', async (t) => {
    const run = new Run(t, {});
    const code = await run.end();
    assert.match(run.output, /private redis-server/);
    assert.match(run.output, /kill -9 \d+: beta dies/);
    assert.match(run.output, STORY);
    assert.strictEqual(code, 0, run.output);
  });

  test('leaves no key on a Redis that it is given', async (t) => {
    const server = await startRedis();
    t.after(() => server.stop());
    const run = new Run(t, { DWORKER_REDIS_URL: server.url });
    const code = await run.end();
    assert.match(run.output, new RegExp(`127\\.0\\.0\\.1:${server.port}, told by DWORKER_REDIS_URL`));
    assert.match(run.output, STORY);
    assert.strictEqual(code, 0, run.output);
    assert.strictEqual(await server.command('DBSIZE'), ':0\r\n');
  });

  test('where no server can be had runs on memory://, and says so', async (t) => {
    const run = new Run(t, { PATH: '/nowhere' });
    const code = await run.end();
    assert.match(run.output, /memory:\/\/.*no redis-server program is on the PATH.*three brokers in one process/);
    assert.match(run.output, /beta is cut off/);
    assert.match(run.output, STORY);
    assert.strictEqual(code, 0, run.output);
  });

  test('reports that a given server does not answer, and starts a private one', async (t) => {
    const run = new Run(t, { DWORKER_REDIS_URL: 'redis://127.0.0.1:1' });
    await run.shows(/no server can be used there.*private redis-server/s);
    assert.strictEqual(await run.end(), 0, run.output);
  });

  for (const [signal, exit] of [['SIGINT', 130], ['SIGTERM', 143]]) {
    test(`ended by ${signal} in the middle leaves nothing`, async (t) => {
      const run = new Run(t, {});
      await run.shows(/2\. alpha creates/);
      process.kill(-run.child.pid, signal);
      assert.strictEqual(await run.end(), exit, run.output);
    });
  }

  test('that fails in the middle tells why, and leaves nothing', async (t) => {
    const run = new Run(t, {});
    await run.shows(/1\. Three brokers/);
    const [, pid] = await until('a broker has told its pid', () => /alpha +pid (\d+)/.exec(run.output));
    process.kill(Number(pid), 'SIGKILL');
    assert.strictEqual(await run.end(), 1, run.output);
    assert.match(run.output, /The demo failed: .*alpha ended \(SIGKILL\)/s);
  });
});
