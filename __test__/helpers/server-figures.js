'use strict';

const { RawRedis } = require('./resp');

/** What a Redis server counts of its own work, read from `INFO` on one connection. */
class ServerFigures {
  static async of(server) {
    return new ServerFigures(await RawRedis.connect(server.port));
  }

  constructor(connection) {
    this.connection = connection;
  }

  /**
   * All figures since the server started: commands by name, processor time in s, bytes, and the time of the reading in ms.
   */
  async read() {
    this.connection.write('INFO', 'all');
    const text = await this.connection.answers();
    const fields = Object.fromEntries(text.split('\r\n').map((line) => line.split(':')).filter((pair) => pair.length === 2));
    const command = (name) => {
      const [, calls, micros] = /calls=(\d+),usec=(\d+)/.exec(fields[`cmdstat_${name}`] || '') || [0, 0, 0];
      return { calls: Number(calls), micros: Number(micros) };
    };
    const scripts = command('evalsha');
    return {
      at: performance.now(),
      scripts: scripts.calls,
      scriptSeconds: scripts.micros / 1e6,
      hints: command('publish').calls,
      proofs: command('pubsub|numsub').calls,
      processorSeconds: Number(fields.used_cpu_sys) + Number(fields.used_cpu_user),
      outputBytes: Number(fields.total_net_output_bytes),
      memoryBytes: Number(fields.used_memory),
      connections: Number(fields.connected_clients),
    };
  }

  close() {
    this.connection.close();
  }
}

/** What was added between two readings. */
function between(before, after) {
  return Object.fromEntries(Object.entries(after).map(([name, value]) => [name, value - before[name]]));
}

module.exports = { ServerFigures, between };
