'use strict';

const stacks = new WeakMap();

/** Runs `undo` when the test ends, what was set up last first: `t.after` alone begins with what was first. */
function atEnd(t, undo) {
  let stack = stacks.get(t);
  if (stack === undefined) {
    stack = [];
    stacks.set(t, stack);
    t.after(async () => {
      while (stack.length > 0) await stack.pop()();
    });
  }
  stack.push(undo);
}

module.exports = { atEnd };
