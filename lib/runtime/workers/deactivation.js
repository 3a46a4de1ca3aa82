/**
 * How a worker ends at a broker: its running handler, its `onDestroy`, and the answers that it still owes.
 */
'use strict';

const { runStep } = require('./steps');
const { END } = require('../ending');
const { outside } = require('../../base/context');
const { failure } = require('../../base/errors');
const { clearTimeout, monotonicClock, setImmediate, setTimeout } = require('../../base/timers');
const { Worker } = require('../../worker');

const { State, DestroyCause } = Worker;

/** The share of `destroyTimeout` that the running handler of a serial worker has before `onDestroy` runs beside it. */
const SHARE_OF_TURN = 0.9;
/** How long `onDestroy` waits until the registry has recorded that its worker ends for good, ms. */
const REGISTRY_WAIT_MS = 500;

class Deactivation {
  /** @param {Workers} workers */
  constructor(workers) {
    this.workers = workers;
    this.core = workers.core;
    /** Workers that ended themselves for good, while their handlers may still answer. */
    this.parting = new Set();
    /** The broker is leaving. */
    this.leaving = false;
    this.destroyed = this.destroyed.bind(this);
  }

  /** Ends the worker, after `onCreate` where that still runs. Only the first call counts. */
  end(record, cause, recover) {
    if (record.ending !== null || record.state === State.DESTROYED) return;
    record.ending = { cause, recover };
    if (record.state === State.ACTIVE) this.begin(record);
    else this.awaitActivation(record);
  }

  /** `onCreate` still runs, and may never settle. */
  awaitActivation(record) {
    const { destroyTimeout } = this.core.config;
    record.overdue = outside(setTimeout, () => {
      if (record.state !== State.ACTIVATING) return;
      this.workers.reports.overdue(record, `onCreate of worker ${record.id} did not settle within ${destroyTimeout} ms: destroying the worker without waiting for it`);
      this.begin(record);
    }, destroyTimeout);
  }

  /** The core ends the worker of `handle`. */
  endByCore(handle, cause) {
    const { direct, records } = this.workers;
    const record = records.get(handle);
    if (record === undefined) return;
    if (cause === DestroyCause.FENCED) {
      direct.cut(record);
      if (record.cell !== null) record.cell.end(failure('DW_ERR_PEER_LOST', `The worker "${record.id}" was replaced by another instance.`));
    }
    this.end(record, cause, true);
  }

  begin(record) {
    const { core, workers } = this;
    record.state = State.DESTROYING;
    if (workers.active.get(record.id) === record) workers.active.delete(record.id);
    core.channel.native.destroying(record.handle, record.ending.recover, record.ending.cause === DestroyCause.IDLE);
    workers.direct.close(record);
    core.channel.touch();
    if (record.ending.cause !== DestroyCause.SELF) {
      this.destroy(record);
      return;
    }
    workers.changeLoad(record, 0);
    // The handler that called worker.destroy() goes on until it first waits; only then may onDestroy run.
    const next = () => outside(setImmediate, () => this.destroy(record));
    if (record.ending.recover) next();
    else if (record.cell === null || !record.cell.busy) this.endForGood(record, next);
    // A write that is under way would keep the worker after all.
    else record.cell.whenStored(() => this.endForGood(record, next));
  }

  /**
   * A recoverable worker ends for good. The registry records that before `onDestroy` begins, so that the worker is not recovered even if
   * this process ends during `onDestroy`. `onDestroy` does not wait long for a registry that does not answer.
   */
  endForGood(record, next) {
    const { channel, config } = this.core;
    const slot = channel.calls.freeSlot();
    const { cell } = record;
    if (!channel.native.finish(record.handle, slot)) {
      if (cell !== null) cell.finish();
      next();
      return;
    }
    let waits = true;
    const goOn = (error) => {
      if (!waits) return;
      waits = false;
      clearTimeout(record.overdue);
      if (cell !== null && error === undefined) cell.finish();
      else if (cell !== null) cell.end(error);
      next();
    };
    channel.calls.set(slot, { resolve: () => goOn(), reject: goOn });
    const late = () => goOn(failure('DW_ERR_NOT_STORED', 'The registry did not answer in time.'));
    record.overdue = outside(setTimeout, late, Math.min(REGISTRY_WAIT_MS, config.destroyTimeout));
  }

  /** Runs `onDestroy` after the running handler of a serial worker, which has its share of the time. */
  destroy(record) {
    if (record.state !== State.DESTROYING) return;
    const { destroyTimeout } = this.core.config;
    if (record.turn === null) {
      this.runOnDestroy(record, destroyTimeout);
      return;
    }
    const share = Math.floor(destroyTimeout * SHARE_OF_TURN);
    record.overdue = outside(setTimeout, () => {
      record.afterTurn = null;
      const { method } = record.turn;
      this.workers.reports.overdue(record, `Worker ${record.id} is still handling '${method}' after ${share} ms: running its onDestroy beside it`, method);
      this.runOnDestroy(record, destroyTimeout - share);
    }, share);
    const began = monotonicClock();
    record.afterTurn = () => {
      clearTimeout(record.overdue);
      this.runOnDestroy(record, Math.max(destroyTimeout - (monotonicClock() - began), destroyTimeout - share));
    };
  }

  runOnDestroy(record, left) {
    if (record.state !== State.DESTROYING) return;
    const { id: broker, channel, config } = this.core;
    // A broker that cannot prove its lease may have lost the worker to another one: its onDestroy must learn that.
    const cause = channel.native.holds() ? record.ending.cause : DestroyCause.FENCED;
    record.overdue = outside(setTimeout, () => {
      this.workers.reports.overdue(record, `onDestroy of worker ${record.id} did not settle within ${config.destroyTimeout} ms: broker ${broker} ends the worker without waiting for it`);
      this.destroyed(record);
    }, left);
    runStep(this.workers, record, 'onDestroy', { cause }, this.destroyed);
  }

  /** `onDestroy` has settled. */
  destroyed(record) {
    if (record.state !== State.DESTROYING) return;
    const { reports, slow } = this.workers;
    clearTimeout(record.overdue);
    slow.end(record);
    if (record.turn !== null) slow.end(record.turn);
    this.workers.changeLoad(record, 0);
    record.state = State.DESTROYED;
    reports.life(record, 'ended', record.ending.cause);
    // What is not stored yet is, and answers leave that wait for it, before another broker may activate the worker.
    if (record.cell === null) this.partWith(record);
    else {
      if (record.cell.timers !== null) record.cell.timers.leave();
      record.cell.whenStored(() => this.partWith(record));
    }
  }

  partWith(record) {
    const { channel } = this.core;
    const { direct, records } = this.workers;
    if (channel === null || records.get(record.handle) !== record) return;
    if (record.cell !== null) record.cell.end(failure('DW_ERR_PEER_LOST', `The worker "${record.id}" ended, or moved.`));
    records.delete(record.handle);
    for (const inbound of record.enders) this.workers.dispatcher.answer(inbound, record, END, undefined);
    if (endedForGood(record) && !this.leaving && direct.handles(record)) this.awaitAnswers(record);
    else this.release(record, endedForGood(record));
  }

  /** Handlers of the worker may still answer before its id is free. */
  awaitAnswers(record) {
    this.parting.add(record);
    record.overdue = outside(setTimeout, () => this.release(record, false), this.core.config.destroyTimeout);
    record.answered = () => {
      if (!this.workers.direct.handles(record)) this.release(record, true);
    };
  }

  /** Ends the broker's own calls to the worker. `patient`: calls that came through the core may still be answered. */
  release(record, patient) {
    clearTimeout(record.overdue);
    this.parting.delete(record);
    record.answered = null;
    const { channel } = this.core;
    if (channel === null) return;
    this.workers.direct.cut(record);
    const { cause, recover } = record.ending;
    // A worker that handled messages was useful: it may be recovered at once, however often it moves.
    if (cause === DestroyCause.IDLE) {
      channel.native.asleep(record.handle, channel.receiver.unseen());
      channel.touch();
      return;
    }
    const byItself = recover ? cause === DestroyCause.SELF && record.started === 0 : patient;
    channel.native.destroyed(record.handle, recover, byItself, channel.receiver.unseen());
    channel.touch();
  }

  /** The broker leaves, and waits for no handler. */
  leave() {
    this.leaving = true;
    for (const record of [...this.parting]) this.release(record, false);
  }

  /** The broker has ended. */
  abandon() {
    for (const record of this.parting) clearTimeout(record.overdue);
    this.parting.clear();
    this.leaving = false;
  }
}

function endedForGood({ ending }) {
  return ending.cause === DestroyCause.SELF && !ending.recover;
}

module.exports.Deactivation = Deactivation;
