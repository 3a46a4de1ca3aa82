'use strict';

/**
 * One run: a private Redis, broker processes, their histories, and the end of it all.
 */

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { freePort } = require('../../support/ports');
const { sleep, until } = require('../../support/wait');
const { check } = require('./checker');
const { History, now } = require('./history');
const { seeded } = require('../../support/random');
const { BrokerProcess, Host } = require('./tools/broker');
const { removeFolder, undoWithUs } = require('./tools/cleanup');
const { Observer } = require('./tools/observer');
const { Server } = require('./tools/redis');
const { readTables } = require('./tools/tables');

const NAMESPACE = 'chaos';
/** Calls of 10 s handlers end with the caller's time limit, 3 s by default. */
const DRAIN_MS = 3400;

class World {
  constructor(seed, { addon, keep = false } = {}) {
    this.seed = seed;
    this.random = seeded(seed);
    this.directory = fs.mkdtempSync(path.join(os.tmpdir(), 'dworker-chaos-'));
    this.forget = undoWithUs(() => keep || removeFolder(this.directory));
    this.env = addon ? { NAPI_RS_NATIVE_LIBRARY_PATH: path.resolve(addon) } : {};
    this.log = new History(path.join(this.directory, 'driver.jsonl'));
    this.observer = new Observer(this.directory);
    this.observer.follow('driver.jsonl', 'driver');
    this.brokers = [];
    this.servers = [];
    this.undo = [];
    this.lives = 0;
    this.ids = [];
  }

  /** A Redis; the first one started is the one that brokers use. */
  async redis(option = {}) {
    const server = new Server(path.join(this.directory, `redis-${this.servers.length}`), option.port || (await freePort()), option);
    this.servers.push(server);
    await server.start();
    if (this.server === undefined) this.server = server;
    return server;
  }

  /** Starts a process with a broker. `more`: `{wrap, env}` of the process. */
  async broker(id, option = {}, more = {}) {
    const process = this.prepare(id, option, more);
    await process.start();
    return process;
  }

  /** As `broker`, not started yet. */
  prepare(id, option = {}, more = {}) {
    return this.prepareHost([id], option, more)[0];
  }

  /** Brokers of these ids in one process, not started yet. */
  prepareHost(ids, option = {}, more = {}) {
    const host = new Host({
      brokers: ids.map((id) => {
        this.lives += 1;
        return {
          id,
          name: `${id}.${this.lives}`,
          option: { ns: NAMESPACE, redis: this.server && this.server.url, ...option },
          seed: this.random.below(2 ** 31),
        };
      }),
      directory: this.directory,
      log: this.log,
      wrap: more.wrap,
      env: { ...this.env, ...more.env },
    });
    const prepared = ids.map((_, number) => new BrokerProcess(host, number));
    this.brokers.push(...prepared);
    for (const broker of prepared) this.observer.follow(broker.file, broker.name);
    return prepared;
  }

  get alive() {
    return this.brokers.filter(({ alive }) => alive);
  }

  /**
   * A system at rest: Redis, `brokers` of them, and workers of class Room. The ids of recoverable ones begin with `r`,
   * of others with `n`.
   */
  async system({ brokers = 3, recoverable = 200, others = 40, option = {}, redis = {} } = {}) {
    if (this.server === undefined) await this.redis(redis);
    const perBroker = (n) => (typeof option === 'function' ? option(n) : option);
    const started = [];
    for (let n = 0; n < brokers; n += 1) started.push(this.broker(`b${n}`, await perBroker(n)));
    await Promise.all(started);
    await this.populate(recoverable, others);
  }

  async populate(recoverable, others) {
    const names = (letter, count) => Array.from({ length: count }, (_, n) => `${letter}${n}`);
    const plans = [[names('r', recoverable), true], [names('n', others), false]];
    const alive = this.alive;
    await Promise.all(plans.flatMap(([ids, kept]) => alive.map((broker, n) => broker.run('create', {
      ids: ids.filter((_, i) => i % alive.length === n),
      recoverable: kept,
    }))));
    this.ids = plans.flatMap(([ids]) => ids);
    const count = recoverable + others;
    await until(`${count} workers are active`, () => this.observer.refresh().active.size >= count, 30000);
  }

  /** Calls from every broker, `rate` a second from each. */
  async load(rate, more = {}) {
    await Promise.all(this.alive.map((broker) => broker.run('load', { ids: this.ids, rate, ...more })));
  }

  fault(what) {
    this.log.write('fault', { what });
    return now();
  }

  heal() {
    this.log.write('heal');
    return now();
  }

  /** Brokers that are told dead by others since `time`. */
  evictions(time) {
    return new Set(this.observer.since(time, 'brokerDead').map(({ dead }) => dead)).size;
  }

  /** Samples memory and descriptors of each broker, as they are at rest. */
  async sample(phase) {
    for (const broker of this.alive) {
      await broker.run('memory');
      broker.sample(phase);
    }
  }

  /**
   * Ends the load, lets what is in flight settle, looks at each worker once more, and checks the run.
   *
   * @param {object} [option] of the checker, and `{tables: false}` where Redis cannot be read
   */
  async finish({ tables = true, probe = true, ...option } = {}) {
    const alive = this.alive;
    await Promise.all(alive.map((broker) => broker.run('stopLoad').catch(() => {})));
    await sleep(DRAIN_MS);
    if (probe && alive.length > 0 && this.ids.length > 0) await this.random.pick(alive).run('probe', this.ids).catch(() => {});
    await sleep(100);
    let found;
    if (tables) {
      // Loads are noted a moment after they change.
      const client = this.server.client();
      client.on('error', () => {});
      found = await readTables(client, NAMESPACE);
      client.disconnect();
    }
    this.log.write('finish');
    const { lines } = this.observer.refresh();
    return check({ lines, tables: found, option });
  }

  async end() {
    for (const broker of this.brokers) if (broker.alive) await broker.kill();
    for (const server of this.servers) await server.kill();
    for (const undo of this.undo.reverse()) await undo();
    this.forget();
  }
}

module.exports = { World, NAMESPACE };
