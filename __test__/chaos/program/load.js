'use strict';

/**
 * The callers: what a broker under test asks and tells, each call with its outcome in the history.
 */

const { setTimeout: sleep } = require('node:timers/promises');
const { Agent } = require('../../..');
const { now } = require('../history');

const TICK_MS = 10;
/** After a pause of the process no more than this is made up for. */
const CATCH_UP_MS = 50;
const OUTSTANDING = 3000;
const PARALLEL = 64;
const RETRY_MS = 15;

class Load {
  constructor(broker, history, random, name) {
    this.broker = broker;
    this.history = history;
    this.random = random;
    this.name = name;
    this.made = 0;
    this.outstanding = 0;
    this.timer = undefined;
  }

  /**
   * Sends `rate` calls a second to workers of `ids`: most to handlers of no duration, some of 50 ms, 2 s and 10 s, a
   * fifth of them tells. `methods` names others.
   */
  start({ ids, rate, methods }) {
    this.stop();
    let due = 0;
    let last = now();
    this.timer = setInterval(() => {
      const time = now();
      due += (Math.min(time - last, CATCH_UP_MS) * rate) / 1000;
      last = time;
      for (; due >= 1; due -= 1) {
        if (this.outstanding < OUTSTANDING) this.one(this.random.pick(ids), methods ? this.random.pick(methods) : this.method());
      }
    }, TICK_MS);
  }

  stop() {
    clearInterval(this.timer);
  }

  method() {
    const dice = this.random.below(1000);
    if (dice < 200) return 'tell';
    if (dice < 900) return 'quick';
    if (dice < 990) return 'short';
    return dice < 998 ? 'long' : 'longest';
  }

  one(id, method) {
    if (method === 'tell') this.send(id, 'tell', 'quick');
    else this.send(id, 'ask', method);
  }

  /** Makes one call; fulfilled with its outcome, never rejected. */
  send(id, kind, method, more = {}) {
    this.made += 1;
    const call = `${this.name}.${this.made}`;
    this.history.write('call', { call, id, kind, method, within: this.broker.rpcTimeout });
    this.outstanding += 1;
    const settle = (outcome) => {
      this.outstanding -= 1;
      this.history.write('settle', { call, id, kind, ...outcome });
      return outcome;
    };
    const failed = (error) => settle({ ok: false, code: String(error && error.code), delivered: error && error.delivered });
    let answer;
    try {
      answer = new Agent(id, this.broker)[kind](method, { call, ...more });
    } catch (error) {
      return Promise.resolve(failed(error));
    }
    return answer.then((value) => settle({ ok: true, epoch: kind === 'ask' && value ? value.epoch : undefined }), failed);
  }

  ask(id, method, data) {
    return this.send(id, 'ask', method, data);
  }

  /** Creates workers, `PARALLEL` at a time; an id that could not be made is tried again until `timeout`. */
  async create({ name = 'Room', ids, recoverable, attributes, timeout = 20000, once = false }) {
    const end = now() + timeout;
    const failures = {};
    await this.each(ids, async (id) => {
      for (;;) {
        try {
          await this.broker.createWorker(name, { id, attributes: { recoverable, ...attributes } });
          this.history.write('created', { id, recoverable });
          return;
        } catch (error) {
          failures[error.code] = (failures[error.code] || 0) + 1;
          this.history.write('uncreated', { id, code: error.code });
          if (once || now() > end) return;
          await sleep(RETRY_MS);
        }
      }
    });
    return failures;
  }

  /** When each answered: the first and the last moment, and how many never did. */
  async sweep(ids, timeout) {
    const end = now() + timeout;
    const times = [];
    await this.each(ids, async (id) => {
      while (now() < end) {
        const { ok } = await this.send(id, 'ask', 'quick');
        if (ok) {
          times.push(now());
          return;
        }
        await sleep(RETRY_MS);
      }
    }, ids.length);
    return { first: Math.min(...times), last: Math.max(...times), missing: ids.length - times.length };
  }

  /** What is known of each at the end. */
  async probe(ids) {
    await this.each(ids, async (id) => {
      const found = await this.broker.findWorker(id).then((agent) => agent !== null, (error) => error.code);
      const { ok, code, epoch } = await this.send(id, 'ask', 'quick');
      this.history.write('probe', { id, found, ok, code, epoch });
    });
  }

  /** `count` calls without waiting for answers, `burst` a tick (absent: all at once); how many had which outcome. */
  async flood({ ids, count, method = 'quick', pad = 0, burst = count }) {
    const outcomes = {};
    const more = { pad: 'x'.repeat(pad) };
    await Promise.all(Array.from({ length: count }, async (_, n) => {
      if (n >= burst) await sleep(Math.floor(n / burst) * TICK_MS);
      const { ok, code } = await this.send(this.random.pick(ids), 'ask', method, more);
      const key = ok ? 'ok' : code;
      outcomes[key] = (outcomes[key] || 0) + 1;
    }));
    return outcomes;
  }

  async each(list, work, parallel = PARALLEL) {
    const left = [...list];
    const lane = async () => {
      while (left.length > 0) await work(left.shift());
    };
    await Promise.all(Array.from({ length: Math.min(parallel, list.length) }, lane));
  }
}

module.exports = { Load };
