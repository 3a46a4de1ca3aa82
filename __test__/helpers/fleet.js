'use strict';

const path = require('node:path');
const { Child } = require('../../support/child');
const { atEnd } = require('./cleanup');
const { until } = require('../../support/wait');

const PROGRAM = path.join(__dirname, '..', 'fixtures', 'fleet.js');

const PROCESSES = 4;
/** For every broker of a fleet to be active, ms: all of them join at once. */
const START_MS = 120_000;
const ACTIVE = 2;
const CREATES_AT_ONCE = 64;

/** Some brokers of a fleet in a process of their own (`fixtures/fleet.js`). */
class FleetProcess extends Child {
  constructor(prefix, count, option) {
    super(PROGRAM, [JSON.stringify({ prefix, count, option })], { name: `The process of the brokers ${prefix}0 to ${prefix}${count - 1}` });
    this.count = count;
    this.again = () => new FleetProcess(prefix, count, option);
  }
}

/** Brokers `p0-0`, `p0-1`, … in a few processes, and `victim0`, … in one of their own. All of them host the class `Room`. */
class Fleet {
  /**
   * Starts the fleet; its processes end when the test does.
   *
   * @param {Object} t what ends the processes: see `atEnd`
   * @param {{option: Object, brokers: number, processes: number=, victims: number=, doomed: number=}} size `brokers`: all of them,
   *   victims included; `doomed`: workers of the victims, which are there before the others
   */
  static async start(t, { option, brokers, processes = PROCESSES, victims = 1, doomed = 0 }) {
    const fleet = new Fleet(t);
    const left = brokers - victims;
    for (let number = 0; number < processes; number += 1) {
      const count = Math.floor(left / processes) + (number < left % processes ? 1 : 0);
      fleet.others.push(new FleetProcess(`p${number}-`, count, option));
    }
    if (victims > 0) fleet.victim = new FleetProcess('victim', victims, option);
    for (const each of fleet.all) atEnd(t, () => each.kill());
    await Promise.all(fleet.all.map((each) => each.ready()));
    const outcomes = [];
    if (doomed > 0) {
      outcomes.push(await fleet.victim.call('start'));
      await fleet.victim.call('create', doomed, CREATES_AT_ONCE);
    }
    const rest = doomed > 0 ? fleet.others : fleet.all;
    outcomes.push(...await Promise.all(rest.map((each) => each.call('start'))));
    fleet.started = { times: outcomes.flatMap(({ times }) => times), errors: outcomes.flatMap(({ errors }) => errors) };
    if (fleet.started.errors.length > 0) throw new Error(`Brokers did not start: ${fleet.started.errors.join(', ')}`);
    await until('all brokers are active', async () => (await fleet.gather('states')).flat().every((state) => state === ACTIVE), START_MS);
    return fleet;
  }

  /** @param {Object} t what ends the processes: see `atEnd` */
  constructor(t) {
    this.t = t;
    this.others = [];
    this.victim = null;
  }

  get all() {
    return this.victim ? [...this.others, this.victim] : this.others;
  }

  /** What an operation answers in each process but the victim's. */
  gather(name, ...args) {
    return Promise.all(this.others.map((each) => each.call(name, ...args)));
  }

  /**
   * The brokers of one process leave, the process ends, and a new one starts them again under the same ids. Resolves when they
   * are active.
   */
  async restart(number) {
    const old = this.others[number];
    await old.call('leave');
    await old.kill();
    const fresh = old.again();
    this.others[number] = fresh;
    atEnd(this.t, () => fresh.kill());
    await fresh.ready();
    const { errors } = await fresh.call('start');
    if (errors.length > 0) throw new Error(`Brokers did not start again: ${errors.join(', ')}`);
  }

  /** How often the death of this broker was reported by each broker that lives. */
  async reports(dead) {
    const reports = Object.assign({}, ...(await this.gather('deaths')));
    return Object.values(reports).map((ids) => ids.filter((id) => id === dead).length);
  }

  async end() {
    await Promise.all(this.all.map((each) => each.kill()));
  }
}

module.exports = { Fleet };
