'use strict';

const { RawRedis } = require('./resp');
const { sleep } = require('../../support/wait');

/** Between two looks, ms. */
const LOOK_MS = 25;

/** Watches how close the leases of a namespace come to their end, on the clock of the server. */
class LeaseWatch {
  static async start(server, ns) {
    return new LeaseWatch(await RawRedis.connect(server.port), ns);
  }

  constructor(connection, ns) {
    this.connection = connection;
    this.key = `{${ns}}:leases`;
    this.least = Infinity;
    this.watching = true;
    this.ended = this.watch();
  }

  async watch() {
    while (this.watching) {
      this.connection.write('TIME');
      this.connection.write('ZRANGE', this.key, '0', '0', 'WITHSCORES');
      const values = (await this.connection.answers()).split('\r\n').filter((line) => !/^[*$]/.test(line));
      const [seconds, micros, holder, expiry] = values;
      // Without a lease the mark of the connection stands in its place.
      if (expiry !== undefined && !holder.startsWith('mark')) this.least = Math.min(this.least, Number(expiry) - Number(seconds) * 1000 - Number(micros) / 1000);
      await sleep(LOOK_MS);
    }
    this.connection.close();
  }

  /** The shortest time, in ms, that a lease had left at any look since the start or the last call of this. */
  take() {
    const { least } = this;
    this.least = Infinity;
    return least;
  }

  /** Ends the watch. */
  async stop() {
    this.watching = false;
    await this.ended;
  }
}

module.exports = { LeaseWatch };
