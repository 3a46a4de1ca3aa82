'use strict';

/** Which scripts brokers run, counted by MONITOR: `INFO` knows only how many. */

const { createHash } = require('node:crypto');
const { readFileSync } = require('node:fs');
const net = require('node:net');
const path = require('node:path');

const COORDINATION = path.join(__dirname, '..', '..', '..', 'src', 'coordination');

/** The names of the scripts by their SHA1, as `script.rs` joins them from their pieces. */
function scriptNames() {
  const piece = (name) => readFileSync(path.join(COORDINATION, 'lua', `${name}.lua`), 'utf8');
  const table = readFileSync(path.join(COORDINATION, 'redis', 'script.rs'), 'utf8');
  const names = new Map();
  for (const [, name, pieces] of table.matchAll(/^ {4}[A-Z_]+ = "(\w+)":([^;]*);/gm)) {
    const text = ['prelude', 'guard', ...pieces.match(/\w+/g) || [], name].map(piece).join('');
    names.set(createHash('sha1').update(text).digest('hex'), name);
  }
  return names;
}

/** Counts what brokers ask a server from now on, by kind. */
class Kinds {
  static async watch(server) {
    const socket = net.connect(server.port, '127.0.0.1');
    socket.write('MONITOR\r\n');
    await new Promise((resolve, reject) => { socket.once('data', resolve).once('error', reject); });
    return new Kinds(socket);
  }

  constructor(socket) {
    this.socket = socket;
    this.names = scriptNames();
    this.counts = {};
    let rest = '';
    socket.on('data', (bytes) => {
      const lines = (rest + bytes.toString('latin1')).split('\r\n');
      rest = lines.pop();
      for (const line of lines) this.count(line);
    });
  }

  count(line) {
    const [, kind, sha] = /^\S+ \[\d+ \d[^\]]*\] "(evalsha|eval|pubsub)" "([^"]{40}|)/i.exec(line) || [];
    if (kind === undefined) return;
    const name = kind.toLowerCase() === 'evalsha' ? this.names.get(sha) || 'unknown' : kind.toLowerCase();
    this.counts[name] = (this.counts[name] || 0) + 1;
  }

  /** Forgets what was counted so far. */
  reset() {
    this.counts = {};
  }

  /** All kinds and their counts in one text; what idle brokers do all the time is left out. */
  text() {
    const events = Object.entries(this.counts).filter(([name]) => !['renew', 'look', 'eval'].includes(name));
    return events.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, count]) => `${name} ${count}`).join(', ');
  }

  close() {
    this.socket.destroy();
  }
}

module.exports = { Kinds };
