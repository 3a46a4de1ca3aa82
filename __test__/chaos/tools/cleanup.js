'use strict';

/**
 * What a run leaves behind is undone: at its end, and when the harness is interrupted.
 */

const fs = require('node:fs');

const pids = new Set();
const undoing = new Set();

/** `child` is killed with the harness, whatever ends that. */
function killWithUs(child) {
  pids.add(child.pid);
  child.once('exit', () => pids.delete(child.pid));
}

/** `undo` (synchronous) runs when the harness ends; the returned function runs it earlier. */
function undoWithUs(undo) {
  undoing.add(undo);
  return () => {
    if (undoing.delete(undo)) undo();
  };
}

function undoAll() {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
  }
  for (const undo of undoing) undo();
  undoing.clear();
}

process.on('exit', undoAll);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));

function removeFolder(folder) {
  fs.rmSync(folder, { recursive: true, force: true });
}

module.exports = { killWithUs, undoWithUs, removeFolder };
