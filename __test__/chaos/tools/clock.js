'use strict';

/**
 * A wall clock that jumps, for one process: `clock.c`, loaded before its libraries. The monotonic clocks are left alone.
 */

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

function missing() {
  if (process.platform !== 'linux') return 'clocks that jump need Linux';
  try {
    execFileSync('cc', ['--version'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'no C compiler is installed (Debian: apt-get install gcc)';
  }
}

class Clock {
  /** @param {string} directory of the run */
  constructor(directory) {
    const library = path.join(directory, 'clock.so');
    execFileSync('cc', ['-shared', '-fPIC', '-O2', '-o', library, path.join(__dirname, 'clock.c')]);
    this.file = path.join(directory, 'clock');
    fs.writeFileSync(this.file, Buffer.alloc(8));
    this.env = { LD_PRELOAD: library, CHAOS_CLOCK: this.file };
  }

  /** Seconds away from the machine's clock. In place: the processes have the file mapped. */
  set(seconds) {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(seconds));
    const descriptor = fs.openSync(this.file, 'r+');
    fs.writeSync(descriptor, bytes);
    fs.closeSync(descriptor);
  }
}

module.exports = { Clock, missing };
