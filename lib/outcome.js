/**
 * What counts as the end of a handler call: its value, its promise or its callback, whichever is first.
 */
'use strict';

const { isThenable, observe } = require('./promises');

/**
 * One call of a handler that can end in several ways at once. A subclass gives `end(failed, value)`, which runs once.
 * `failed` apart from `value`, because a handler may well reject with `undefined`.
 */
class Outcome {
  constructor() {
    this.open = true;
  }

  /** The node-style callback for the handler. A promise given to it is waited for. */
  callback() {
    return (error, value) => {
      if (!this.open) return;
      if (error) this.settle(true, error);
      else this.follow(value);
    };
  }

  /** The handler returned `result`; where it `waits` for its callback, `undefined` says nothing. */
  returned(result, waits) {
    if (!this.open || (result === undefined && waits)) return;
    this.follow(result);
  }

  /** Ends with `value`, or as the promise that it is ends. */
  follow(value) {
    try {
      if (isThenable(value)) {
        observe(
          value,
          (settled) => this.settle(false, settled),
          (reason) => this.settle(true, reason)
        );
        return;
      }
    } catch (thrown) {
      this.settle(true, thrown);
      return;
    }
    this.settle(false, value);
  }

  settle(failed, value) {
    if (!this.open) return;
    this.open = false;
    this.end(failed, value);
  }
}

/**
 * One message that a worker handles. `inbound` is its number in the core; of a tell to a worker that takes others
 * meanwhile it is the connection that it came over, below zero.
 */
class Turn extends Outcome {
  constructor(workers, inbound, record, method) {
    super();
    this.workers = workers;
    this.inbound = inbound;
    this.record = record;
    this.method = method;
    this.suspensions = workers.suspensions;
    this.known = null;
  }

  /** What `Worker.context()` gives while it is open. */
  context() {
    if (this.known === null) this.known = this.workers.contextOf(this);
    return this.known;
  }

  unwatch() {
    if (this.known !== null) this.workers.unwatch(this);
  }
}

/**
 * A tell: nobody waits for it, but the next message of a worker that takes one at a time.
 */
class TellOutcome extends Turn {
  end(failed, value) {
    this.unwatch();
    if (failed) this.workers.report(this.record, this.method, value, 'error');
    if (this.inbound > 0) this.workers.done(this.inbound);
  }
}

/**
 * An ask that waits for its answer, which leaves exactly once.
 */
class AskOutcome extends Turn {
  end(failed, value) {
    this.unwatch();
    if (failed) this.workers.answerFailure(this.inbound, value);
    else this.workers.answer(this.inbound, value, this.record, this.method);
  }
}

/**
 * A call of `onCreate` or `onDestroy`: what it failed with is told and ignored.
 */
class StepOutcome extends Outcome {
  constructor(workers, record, step, next) {
    super();
    this.workers = workers;
    this.record = record;
    this.step = step;
    this.next = next;
  }

  end(failed, value) {
    if (failed) this.workers.report(this.record, this.step, value, 'warn');
    this.next.call(this.workers, this.record);
  }
}

module.exports.AskOutcome = AskOutcome;
module.exports.TellOutcome = TellOutcome;
module.exports.StepOutcome = StepOutcome;
