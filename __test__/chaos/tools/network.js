'use strict';

/**
 * Hosts of their own on one machine: network namespaces behind a router in which a pair can be cut off silently.
 */

const { execFileSync } = require('node:child_process');
const { undoWithUs } = require('./cleanup');

let made = 0;

const ip = (...args) => execFileSync('ip', args, { stdio: ['ignore', 'pipe', 'pipe'] }).toString();

/** Why there can be none here; undefined where it works. */
function missing() {
  if (process.platform !== 'linux') return 'network namespaces need Linux';
  if (process.getuid() !== 0) return 'network namespaces need root: run "sudo npm run chaos"';
  try {
    const name = `dwc${process.pid}try`;
    ip('netns', 'add', name);
    ip('netns', 'del', name);
    return undefined;
  } catch (error) {
    return `network namespaces do not work here (Debian: apt-get install iproute2): ${String(error.stderr || error.message).trim()}`;
  }
}

class Network {
  constructor() {
    made += 1;
    this.name = `dwc${process.pid % 100000}n${made}`;
    /** Of 10.0.0.0/8: seldom used by others. */
    this.net = `10.${150 + (process.pid % 50)}`;
    this.base = (made % 16) * 16;
    this.hosts = 0;
    this.cuts = [];
    this.spaces = [];
    this.forget = undoWithUs(() => this.remove());
    this.space(`${this.name}r`);
    this.router('sysctl', '-qw', 'net.ipv4.ip_forward=1');
    this.driver = this.link(undefined);
    ip('route', 'add', `${this.net}.${this.base}.0/20`, 'via', this.driver.gateway);
  }

  space(name) {
    ip('netns', 'add', name);
    this.spaces.push(name);
    ip('-n', name, 'link', 'set', 'lo', 'up');
    return name;
  }

  router(...command) {
    return ip('netns', 'exec', `${this.name}r`, ...command);
  }

  /** A cable between the router and a namespace, or this one. */
  link(space) {
    const n = this.hosts;
    this.hosts += 1;
    const [outer, inner] = [`${this.name}o${n}`, `${this.name}i${n}`];
    const [address, gateway] = [`${this.net}.${this.base + n}.2`, `${this.net}.${this.base + n}.1`];
    ip('link', 'add', outer, 'type', 'veth', 'peer', 'name', inner);
    ip('link', 'set', outer, 'netns', `${this.name}r`);
    ip('-n', `${this.name}r`, 'addr', 'add', `${gateway}/24`, 'dev', outer);
    ip('-n', `${this.name}r`, 'link', 'set', outer, 'up');
    const at = space === undefined ? [] : ['-n', space];
    if (space !== undefined) ip('link', 'set', inner, 'netns', space);
    ip(...at, 'addr', 'add', `${address}/24`, 'dev', inner);
    ip(...at, 'link', 'set', inner, 'up');
    return { address, gateway };
  }

  /** @returns {{address: string, wrap: string[]}} a host, and what a program there is run under */
  host() {
    const space = this.space(`${this.name}h${this.hosts}`);
    const { address, gateway } = this.link(space);
    ip('-n', space, 'route', 'add', 'default', 'via', gateway);
    return { address, wrap: ['ip', 'netns', 'exec', space] };
  }

  /** From now on nothing gets from one to the other, and nobody is told. */
  cut(a, b) {
    for (const [from, to] of [[a, b], [b, a]]) {
      ip('-n', `${this.name}r`, 'rule', 'add', 'from', from.address, 'to', to.address, 'blackhole');
      this.cuts.push([from, to]);
    }
  }

  mend() {
    for (const [from, to] of this.cuts.splice(0)) {
      ip('-n', `${this.name}r`, 'rule', 'del', 'from', from.address, 'to', to.address, 'blackhole');
    }
  }

  /** Deleting a namespace deletes its cables. */
  remove() {
    for (const space of this.spaces.splice(0)) {
      try {
        ip('netns', 'del', space);
      } catch {
        // It was never made.
      }
    }
  }
}

module.exports = { Network, missing };
