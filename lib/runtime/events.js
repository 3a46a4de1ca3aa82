/**
 * Hands the events of the native core to the part of the broker that they are for.
 */
'use strict';

const { publishFinding } = require('../base/diagnostics');
const { EVENT } = require('../protocol');

const { ASK, TELL, CREATE, DESTROY, LOG, NOTICE, CANCEL, DIRECT, TRIAL } = EVENT;

class Events {
  /** @param {Core} core */
  constructor(core) {
    this.core = core;
    this.reporter = core.reporter;
    this.workers = core.workers;
    this.receive = this.receive.bind(this);
  }

  /** Takes an event that settles no call. `index`: its position in the current batch. */
  receive(kind, event, index) {
    const { workers } = this;
    switch (kind) {
      case ASK:
        return workers.dispatcher.ask(event[1], event[2], event[3], event[4], index);
      case TELL:
        return workers.dispatcher.tell(event[1], event[2], event[3], event[4], index);
      case CREATE:
        return workers.activation.create(event, index);
      case DESTROY:
        return workers.deactivation.endByCore(event[1], event[2]);
      case LOG:
        return this.reporter.log(event[1], event[2]);
      case NOTICE:
        return this.notice(event[1], event[2], event[3]);
      case DIRECT:
        return workers.dispatcher.opened(event[1], index);
      case TRIAL:
        return workers.activation.tryOut(event[1]);
      case CANCEL:
        return workers.contexts.cancelled(event[1]);
      default:
        return undefined;
    }
  }

  notice(name, detail, reason) {
    if (name === 'suspended') this.workers.suspended();
    if (name === 'readiness') this.core.checkReady();
    else if (name === 'restored') this.restored(detail === 'wiped');
    else if (name === 'restart') this.core.restartRequested();
    else if (name === 'stopped') this.core.stopped(detail);
    else if (name === 'brokerDead') this.brokerDead(detail);
    else if (name === 'workerLost') this.workerLost(detail, reason);
    else this.leaseChanged(name);
  }

  /** The registry lost something, and this broker has put its part back: its workers store their data again. */
  restored(wiped) {
    if (wiped) this.core.afterWipe = true;
    this.workers.restored();
  }

  brokerDead(peer) {
    const { core, reporter } = this;
    reporter.line('warn', `Broker ${peer} was found dead`, { event: 'brokerDead', peer });
    publishFinding('brokerDead', core.id, { peer });
    reporter.emit('brokerDead', peer);
  }

  workerLost(id, reason) {
    const { core, reporter } = this;
    reporter.line('error', `Worker ${id} was lost: ${reason}`, { event: 'workerLost', worker: id, reason });
    publishFinding('lost', core.id, { worker: id, reason });
    reporter.emit('workerLost', { id, reason });
  }

  /** `name`: `'suspended'` or `'resumed'`. */
  leaseChanged(name) {
    const { core, reporter } = this;
    const text = name === 'suspended' ? 'cannot prove that it holds its lease: its workers receive no messages' : 'has renewed its lease: its workers receive messages again';
    reporter.line('warn', `Broker ${core.id} ${text}`, { event: name });
    reporter.emit(name);
    core.checkReady();
  }
}

module.exports.Events = Events;
