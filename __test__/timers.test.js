'use strict';

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { Worker } = require('..');
const { kCore } = require('../lib/base/symbols');
const { ServerFigures } = require('./helpers/server-figures');
const { onEachCoordinator, onRedis } = require('./helpers/systems');
const { worker } = require('./helpers/classes');
const { TimerTable } = require('../lib/runtime/timers/table');
const { timeAfter, timeToFire } = require('../lib/runtime/timers/recurrence');
const { rejection, sleep, until } = require('../support/wait');

const FAR = '1d';

/** A class whose workers do with `schedule` what they are asked, and a log of what fired. */
function clockwork(name = 'Clock', handlers = {}) {
  const log = [];
  const Clock = worker(name, {
    onCreate(info) {
      this.load = 1;
      log.push({ what: 'create', cause: info.cause, id: this.id });
    },
    onAsk(method, args) {
      return this.schedule[method](...args);
    },
    onTimer(method, data, fire) {
      log.push({ what: 'fire', id: this.id, method, data, ...fire });
    },
    ...handlers,
  });
  const fired = (count, key) => until(`${count} firings`, () => {
    const found = log.filter((each) => each.what === 'fire' && (key === undefined || each.key === key));
    return found.length >= count && found;
  });
  return { Clock, log, fired };
}

function residents(broker) {
  return broker[kCore].workers.records.size;
}

onEachCoordinator((system) => {
  test('a timer fires once at its time, with its data', async (t) => {
    const { Clock, fired } = clockwork();
    const a = await system(t).start('a', { classes: [Clock] });
    const agent = a.get(Clock, 'x');
    const before = a.redisTime;
    const key = await agent.ask('after', [30, 'ring', { list: [] }]);
    await agent.ask('at', [1, 'past', undefined, { key: 'at once' }]);
    const all = await fired(2);
    const [first, second] = ['past', 'ring'].map((method) => all.find((each) => each.method === method));
    assert.deepEqual([first.method, first.key, first.scheduledAt, first.attempt], ['past', 'at once', 1, 1]);
    assert.deepEqual([second.method, second.data, second.key, second.attempt], ['ring', { list: [] }, key, 1]);
    assert.ok(second.scheduledAt >= before + 30);
    assert.deepEqual(await agent.ask('list', []), []);
  });

  test('timers are listed, replaced by their keys and cancelled', async (t) => {
    const { Clock, log } = clockwork();
    const a = await system(t).start('a', { classes: [Clock] });
    const agent = await a.createWorker('Clock');
    await agent.ask('after', [500, 'early', undefined, { key: 'k' }]);
    await agent.ask('after', [FAR, 'late', 1, { key: 'k' }]);
    await agent.ask('every', ['2h', 'often', undefined, { key: 'e' }]);
    await agent.ask('cron', ['0 3 * * *', 'nightly', undefined, { key: 'c', timezone: 'Europe/Berlin' }]);
    const list = await agent.ask('list', []);
    assert.deepEqual(list.map(({ key }) => key).sort(), ['c', 'e', 'k']);
    assert.deepEqual(list, [...list].sort((one, other) => one.time - other.time));
    const { time, ...rest } = list.find(({ key }) => key === 'c');
    assert.deepEqual([rest.method, rest.cron, rest.timezone, rest.attempt], ['nightly', '0 3 * * *', 'Europe/Berlin', 0]);
    assert.ok(time > a.redisTime);
    assert.deepEqual([await agent.ask('cancel', ['e']), await agent.ask('cancel', ['e'])], [true, false]);
    await sleep(550);
    assert.deepEqual(log.filter(({ what }) => what === 'fire'), [], 'the one that was replaced does not fire');
    assert.equal((await agent.ask('list', [])).length, 2);
  });

  test('a timer that repeats stays on its times, and one run at a time', async (t) => {
    let running = 0;
    const { Clock, fired } = clockwork('Clock', {});
    const { onTimer } = Clock.prototype;
    Object.defineProperty(Clock.prototype, 'onTimer', {
      async value(...args) {
        running += 1;
        assert.equal(running, 1);
        onTimer.apply(this, args);
        await sleep(45);
        running -= 1;
      },
    });
    const a = await system(t).start('a', { classes: [Clock] });
    const agent = a.get(Clock, 'x');
    await agent.ask('every', [30, 'tick', undefined, { catchUp: 'all' }]);
    const all = await fired(4);
    for (let n = 1; n < 4; n += 1) assert.equal(all[n].scheduledAt, all[0].scheduledAt + 30 * n);
    await agent.ask('cancel', [all[0].key]);
  });

  test('the base of onTimer calls onTell', async (t) => {
    const told = [];
    const Plain = worker('Plain', {
      onAsk() {
        return this.schedule.after(5, 'ring', 7);
      },
      onTell: (method, data) => told.push([method, data]),
    });
    const a = await system(t).start('a', { classes: [Plain] });
    await (await a.createWorker('Plain')).ask('m');
    await until('it fired', () => told.length === 1);
    assert.deepEqual(told, [['ring', 7]]);
  });

  test('a timer wakes its worker, on any broker that hosts the class', async (t) => {
    const { Clock, log, fired } = clockwork();
    Clock.idle = 40;
    const s = system(t);
    const a = await s.start('a', { classes: [Clock] });
    await a.get(Clock, 'x').ask('after', [1500, 'ring', undefined, { key: 'k' }]);
    await until('it sleeps', async () => residents(a) === 0 && (await a.inspect('Clock/x')).state === 'asleep');
    await s.start('b', { classes: [Clock] });
    await a.destroy();
    await fired(1);
    assert.deepEqual(log.filter(({ what }) => what === 'create').map(({ cause }) => cause), [Worker.CreateCause.NEW, Worker.CreateCause.WAKE]);
  });

  test('a worker with timers outlives its broker, also one that createWorker made, and fires what was missed', async (t) => {
    const { Clock, fired } = clockwork();
    const s = system(t);
    const a = await s.start('a', { classes: [Clock] });
    const agent = await a.createWorker('Clock', { id: 'x' });
    await agent.ask('every', [50, 'last', undefined, { key: 'last' }]);
    await agent.ask('after', [60, 'all', undefined, { key: 'once' }]);
    await a.destroy({ noRecover: true });
    await sleep(250);
    const before = Date.now();
    await s.start('b', { classes: [Clock] });
    await fired(1, 'once');
    const last = (await fired(2, 'last')).filter(({ scheduledAt }) => scheduledAt > before - 150);
    assert.ok(last.length > 0);
  });

  test('a worker is not idle while a timer is due soon', async (t) => {
    const { Clock, log, fired } = clockwork();
    Clock.idle = 60;
    const a = await system(t).start('a', { classes: [Clock] });
    await a.get(Clock, 'x').ask('every', [40, 'tick']);
    await fired(5);
    assert.equal(log.filter(({ what }) => what === 'create').length, 1);
  });

  test('a firing that fails is tried again, then reported and dropped', async (t) => {
    const { Clock, log } = clockwork('Clock', {
      onTimer(method, data, { attempt }) {
        log.push(attempt);
        throw new Error('no bell');
      },
    });
    const a = await system(t).start('a', { classes: [Clock] });
    const errors = [];
    a.on('workerError', (error) => errors.push(error));
    const agent = a.get(Clock, 'x');
    await agent.ask('after', [1, 'ring', undefined, { retries: 1 }]);
    const { attempt, time } = await until('it failed once', async () => {
      const [timer] = await agent.ask('list', []);
      return timer.attempt === 1 && timer.time > a.redisTime && timer;
    });
    assert.ok(attempt === 1 && time > Date.now() - 1000);
    await until('it is dropped', async () => (await agent.ask('list', [])).length === 0);
    assert.deepEqual(log.filter((each) => typeof each === 'number'), [1, 2]);
    assert.deepEqual(errors.map(({ id, method, error }) => [id, method, error.message]), [['Clock/x', 'ring', 'no bell']]);
  });

  test('a serial worker takes timers and messages one at a time', async (t) => {
    let busy = 0;
    const turns = [];
    const turn = async (what) => {
      busy += 1;
      assert.equal(busy, 1);
      await sleep(5);
      turns.push(what);
      busy -= 1;
    };
    const Serial = worker('Serial', {
      async onAsk(method, data) {
        if (method === 'set') for (const n of data) await this.schedule.after(10, 'ring', n);
        else await turn(`ask ${data}`);
      },
      onTimer: (method, data) => turn(`timer ${data}`),
    });
    Serial.concurrency = 'serial';
    const a = await system(t).start('a', { classes: [Serial] });
    const agent = a.get(Serial, 'x');
    await agent.ask('set', [0, 1, 2, 3]);
    for (let n = 0; n < 8; n += 1) await agent.ask('m', n);
    await until('all had their turns', () => turns.length === 12);
    assert.deepEqual(turns.filter((each) => each.startsWith('timer')), ['timer 0', 'timer 1', 'timer 2', 'timer 3']);
  });

  test('what a handler of a timer changes in the data is stored with the next time of the timer', async (t) => {
    const { Clock, fired } = clockwork('Clock', {
      async onTimer(method) {
        this.data = { count: this.data.count + 1 };
        await sleep(20);
        if (method === 'stop') await new Promise(() => {});
      },
      onAsk(method, args) {
        return method === 'data' ? this.data : this.schedule[method](...args);
      },
    });
    Clock.data = { version: 1, initial: () => ({ count: 0 }) };
    assert.ok(fired);
    const s = system(t);
    const a = await s.start('a', { classes: [Clock] });
    const agent = a.get(Clock, 'x');
    await agent.ask('after', [1, 'once', undefined, { key: 'once' }]);
    await until('it is done', async () => (await agent.ask('list', [])).length === 0);
    assert.deepEqual(await agent.ask('data'), { count: 1 });
    await agent.ask('after', [1, 'stop', undefined, { key: 'stop', retries: 0 }]);
    const stuck = await until('it runs', async () => (await agent.ask('list', []))[0].attempt === 1);
    assert.ok(stuck);
    await a.destroy();
    const b = await s.start('b', { classes: [Clock] });
    b.on('workerError', () => {});
    const next = b.get(Clock, 'x');
    await until('it was given up', async () => (await next.ask('list', [])).length === 0);
  });

  for (const save of ['gate', 'manual']) {
    test(`a firing that did not reach its handler before the broker left is no attempt, with data stored by '${save}'`, async (t) => {
      let claimed = false;
      const log = [];
      const Busy = worker('Busy', {
        async onAsk() {
          await this.schedule.after(1, 'ring', undefined, { retries: 0 });
          await until('its attempt is claimed', async () => (await this.schedule.list())[0].attempt === 1);
          claimed = true;
          await new Promise(() => {});
        },
        onTimer: (method, data, { attempt }) => log.push([method, attempt]),
      });
      Object.assign(Busy, { concurrency: 'serial', data: { version: 1, initial: () => 0, save } });
      const s = system(t);
      const a = await s.start('a', { classes: [Busy], destroyTimeout: 300 });
      a.get(Busy, 'x').ask('m').catch(() => {});
      await until('the timer waits for its turn', () => claimed);
      await a.destroy();
      assert.deepEqual(log, []);
      await s.start('b', { classes: [Busy] });
      await until('it fired', () => log.length > 0);
      assert.deepEqual(log, [['ring', 1]]);
    });
  }

  test('wrong arguments are refused, and nothing is set', async (t) => {
    const { Clock } = clockwork();
    const a = await system(t).start('a', { classes: [Clock] });
    const agent = await a.createWorker('Clock');
    const wrong = [
      ['after', ['soon', 'm']],
      ['after', [0, 'm']],
      ['after', [1, 7]],
      ['at', ['tomorrow', 'm']],
      ['every', [-1, 'm']],
      ['cron', ['every day', 'm']],
      ['cron', ['0 0 30 2 *', 'm']],
      ['cron', ['* * * * *', 'm', 0, { timezone: 'Mars/Olympus' }]],
      ['after', [FAR, 'm', 0, { key: '' }]],
      ['after', [FAR, 'm', 0, { key: 'k'.repeat(300) }]],
      ['after', [FAR, 'm', 0, { catchUp: 'some' }]],
      ['after', [FAR, 'm', 0, { retries: -1 }]],
      ['cancel', [7]],
    ];
    for (const [method, args] of wrong) assert.equal((await rejection(agent.ask(method, args))).code, 'DW_ERR_REJECTED', method);
    const { cause } = await rejection(agent.ask(...wrong[0]));
    assert.equal(cause.code, 'DW_ERR_CONFIG');
    const large = await rejection(agent.ask('after', [FAR, 'm', 'x'.repeat(70_000)]));
    assert.equal(large.cause.code, 'DW_ERR_TOO_LARGE');
    assert.deepEqual(await agent.ask('list', []), []);
  });

  test('a worker has at most 1000 timers', async (t) => {
    const Full = worker('Full', {
      async onAsk() {
        for (let n = 0; n < 1000; n += 1) this.schedule.after(FAR, 'm', undefined, { key: `k${n}` }).catch(() => {});
        await this.schedule.after(FAR, 'm', undefined, { key: 'k0' });
        await this.schedule.after(FAR, 'm');
      },
    });
    const a = await system(t).start('a', { classes: [Full] });
    assert.equal((await rejection((await a.createWorker('Full')).ask('m'))).cause.code, 'DW_ERR_OVERLOADED');
  });

  test('classes with "schedule" or "onTimer" of their own stay as they are', async (t) => {
    const Own = worker('Own', {
      schedule: (n) => n + 1,
      onTimer: () => {
        throw new Error('not called');
      },
      onAsk(method, data) {
        return this.schedule(data);
      },
    });
    const Field = worker('Field', {
      onAsk() {
        return this.schedule;
      },
    }, function () {
      this.schedule = 'weekly';
    });
    const a = await system(t).start('a', { classes: [Own, Field] });
    assert.equal(await (await a.createWorker('Own')).ask('m', 1), 2);
    assert.equal(await (await a.createWorker('Field')).ask('m'), 'weekly');
  });

  test('timers end with their worker', async (t) => {
    const { Clock, log } = clockwork();
    const a = await system(t).start('a', { classes: [Clock] });
    const agent = a.get(Clock, 'x');
    await agent.ask('after', [500, 'ring']);
    await agent.destroy();
    await sleep(550);
    assert.deepEqual(log.filter(({ what }) => what === 'fire'), []);
    assert.deepEqual(await agent.ask('list', []), []);
  });
});

onRedis((system, server) => {
  test('many timers cost no command while none is due', async (t) => {
    const { Clock } = clockwork();
    Clock.idle = 30;
    const a = await system(t).start('a', { classes: [Clock], healthCheckInterval: 0, lease: { renew: 1000, ttl: 10_000 } });
    const agents = Array.from({ length: 200 }, (_, n) => a.get(Clock, `w${n}`));
    await Promise.all(agents.map((agent, n) => agent.ask('after', [`${n + 10}m`, 'ring'])));
    await a.createWorker('Clock').then((agent) => agent.ask('after', [FAR, 'ring']));
    await until('all sleep', () => residents(a) === 0);
    const figures = await ServerFigures.of(server());
    t.after(() => figures.close());
    const before = await figures.read();
    await sleep(1500);
    const after = await figures.read();
    // The lease is renewed, and nothing else.
    assert.ok(after.scripts - before.scripts <= 3, `${after.scripts - before.scripts} scripts in 1.5 s`);
  });

  test('timers of live workers survive FLUSHALL', async (t) => {
    const { Clock, fired } = clockwork();
    const s = system(t);
    const a = await s.start('a', { classes: [Clock] });
    const agent = a.get(Clock, 'x');
    await agent.ask('after', [FAR, 'never', undefined, { key: 'far' }]);
    await server().command('FLUSHALL');
    const key = await agent.ask('after', [300, 'ring']);
    await a.destroy({ noRecover: true });
    const b = await s.start('b', { classes: [Clock] });
    await fired(1, key);
    assert.deepEqual((await b.get(Clock, 'x').ask('list', [])).map((timer) => timer.key), ['far']);
  });
});

test('stored timers that another program wrote are refused', () => {
  const sound = { key: 'k', method: 'm', time: 1 };
  const load = (list) => new TimerTable({ workers: null }).load(list);
  assert.equal(load([sound]).list().length, 1);
  const wrong = [{}, null, [null], [{ ...sound, time: '1' }], [{ ...sound, every: 0 }], [{ ...sound, cron: 'sometimes', timezone: 'UTC' }], [{ ...sound, cron: '* * * * *', timezone: 'Mars' }]];
  for (const each of wrong) assert.throws(() => load(each), /stored timers/, JSON.stringify(each));
});

describe('times of timers', () => {
  const day = 86_400_000;
  const at = (text) => Date.parse(text);

  test('an interval stays on its times, whatever was missed', () => {
    const timer = (catchUp) => ({ time: 1000, every: 100, catchUp });
    const last = timer('last');
    assert.equal(timeToFire(last, 1550), 1500);
    assert.equal(timeAfter(last, last.time), 1600);
    const all = timer('all');
    assert.equal(timeToFire(all, 1550), 1000);
    assert.equal(timeAfter(all, all.time), 1100);
    const skip = timer('skip');
    assert.equal(timeToFire(skip, 1999), 1000, 'it is only a moment late');
    assert.equal(timeToFire(skip, 2050), undefined);
    assert.equal(skip.time, 2100);
    const once = { time: 1000, catchUp: 'skip' };
    assert.deepEqual([timeToFire(once, 9000), once.time], [undefined, undefined]);
  });

  test('a cron expression follows summer time in its zone', () => {
    const night = { cron: '30 2 * * *', timezone: 'Europe/Berlin' };
    const times = [at('2026-03-27T12:00Z')];
    for (let n = 0; n < 4; n += 1) times.push(timeAfter(night, times[n]));
    const shown = times.slice(1).map((time) => new Date(time).toISOString().slice(0, 16));
    assert.deepEqual(shown, ['2026-03-28T01:30', '2026-03-29T01:00', '2026-03-30T00:30', '2026-03-31T00:30'], 'a time that is skipped runs when the clock goes on');
    const autumn = timeAfter(night, at('2026-10-24T12:00Z'));
    assert.equal(timeAfter(night, autumn) - autumn, 25 * 3_600_000, 'a time that is shown twice runs once');
    const utc = { cron: '0 0 * * *', timezone: 'UTC', time: at('2026-01-01T00:00Z') };
    assert.equal(timeToFire(utc, at('2026-01-05T00:00Z')), at('2026-01-05T00:00Z'));
    utc.time = at('2026-01-01T00:00Z');
    assert.equal(timeToFire(utc, at('2026-01-04T23:59:59.999Z')), at('2026-01-04T00:00Z'));
    assert.equal(timeAfter(utc, utc.time) - utc.time, day);
  });
});
