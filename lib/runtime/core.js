/**
 * What a broker is behind its public face: its states and what it holds in each.
 */
'use strict';

const { Channel } = require('./channel');
const { STRUCTURED } = require('../payload/codec');
const { outside } = require('../base/context');
const { publishFinding } = require('../base/diagnostics');
const { Direct } = require('./direct');
const { failure } = require('../base/errors');
const { Log } = require('../base/log');
const { NativeBroker, leaveAtExit } = require('../base/native');
const { hasUnknown, unknownOptions } = require('../options/unknown');
const { contain, contextual, tellListeners, throwLater } = require('../base/promises');
const { Registry, lookUp } = require('./registry');
const { clearInterval, setInterval } = require('../base/timers');
const { warnOnce } = require('../base/warnings');
const { Workers } = require('./workers');

const State = Object.freeze({ INACTIVE: 0, ACTIVATING: 1, ACTIVE: 2, DESTROYING: 3, DESTROYED: 4 });
const STATE_NAMES = Object.keys(State);

/** The longest interval that a timer of Node.js takes. */
const FOREVER = 0x7fffffff;

/** Events of the native core that settle no call. */
const ASK = 2;
const TELL = 3;
const CREATE = 4;
const DESTROY = 5;
const LOG = 6;
const NOTICE = 7;
const CANCEL = 8;
const DIRECT = 9;
const TRIAL = 13;

class Core {
  /**
   * @param {Broker} broker the public face
   * @param {{config: object, credentials: Credentials, promise: Function, pub: object=, sub: object=, log: (false|Function|Object)=, mistakes: string[]}}
   *   options checked
   */
  constructor(broker, { config, credentials, promise, pub, sub, remoteStack, codec, log, mistakes }) {
    this.broker = broker;
    this.config = config;
    this.credentials = credentials;
    this.id = config.id;
    /** As the application chose it. */
    this.promise = promise;
    /** Whether callers are shown the stacks of handlers that failed here. */
    this.remoteStack = remoteStack;
    /** Whether messages go by the codec `'structured'`, where the class of the worker has none of its own. */
    this.structured = codec === STRUCTURED;
    this.pub = pub;
    this.sub = sub;
    this.state = State.INACTIVE;
    this.registry = new Registry();
    /** Classes of this broker's cluster, which others may place here. */
    this.hosted = new Set();
    this.workers = new Workers(this);
    /** To the native core: from `start()` until the broker has been destroyed. A broker without one can be collected. */
    this.channel = null;
    this.keepAlive = null;
    /** The application wants no warnings. */
    this.silent = log === false;
    /** Of the application: gets every line with its fields. */
    this.logger = typeof log === 'object' ? log : null;
    this.lines = new Log((level, message, fields) => this.log(level, message, fields));
    if (typeof log === 'function') broker.on('log', log);
    // A listener may be added as soon as the constructor has returned.
    if (mistakes.length > 0) Promise.resolve().then(() => this.cautionAll(mistakes));
    // The native side makes no log events that nobody hears.
    broker.on('newListener', (name) => this.logging(name, true));
    broker.on('removeListener', (name) => this.logging(name, this.isLogged()));
  }

  /** Of the promises that the package returns now. */
  get PromiseClass() {
    return contextual(this.promise);
  }

  start() {
    if (this.state !== State.INACTIVE && this.state !== State.DESTROYED) return this.refuse('start()');
    this.log('info', `Broker ${this.id} is starting`);
    this.setState(State.ACTIVATING);
    // The native side never keeps the process alive by itself.
    this.keepAlive = outside(setInterval, () => {}, FOREVER);
    return new this.PromiseClass((resolve, reject) => {
      const failed = (error) => {
        this.log('error', `Broker ${this.id} failed to start: ${error.message}`, { err: error });
        this.release(State.INACTIVE);
        reject(error);
      };
      const started = ({ listening }) => {
        this.setState(State.ACTIVE);
        this.log('info', `Broker ${this.id} is active and listens on ${listening}`);
        resolve();
      };
      try {
        this.open();
        this.channel.run({ resolve: started, reject: failed }, (native, slot) => native.start(slot));
      } catch (error) {
        failed(failure('DW_ERR_CONFIG', error.message));
      }
    });
  }

  open() {
    if (this.channel !== null) return;
    leaveAtExit();
    const config = JSON.stringify(this.config);
    this.channel = new Channel((wake) => new NativeBroker(config, wake), this.promise, this.receive.bind(this));
    this.workers.direct = this.channel.direct = new Direct(this.workers);
    this.channel.native.setCredentials(this.credentials.toText());
    this.channel.native.logging(this.isLogged());
    for (const name of this.hosted) this.channel.native.host(name);
  }

  destroy(noRecover) {
    if (this.state === State.INACTIVE) return this.PromiseClass.resolve();
    if (this.state !== State.ACTIVE) return this.refuse('destroy()');
    this.log('info', `Broker ${this.id} is being destroyed`);
    this.setState(State.DESTROYING);
    return new this.PromiseClass((resolve, reject) => {
      const ended = (error) => {
        this.stop();
        this.log('info', `Broker ${this.id} has been destroyed`);
        if (error === undefined) resolve();
        else reject(error);
      };
      const call = { resolve: () => ended(), reject: ended };
      this.workers.leave();
      this.channel.run(call, (native, slot) => native.destroy(slot, noRecover));
    });
  }

  restart() {
    return this.destroy(true).then(() => this.start());
  }

  /** @returns {Promise<boolean>} */
  pardon(id) {
    return this.started().call((native, slot) => native.pardon(slot, id));
  }

  restartAll() {
    if (this.channel === null) {
      this.log('error', `Broker ${this.id} is not started: nobody is told to restart`);
      return;
    }
    const failed = (error) => this.log('error', `The brokers could not be told to restart: ${error.message}`, { err: error });
    this.channel.call((native, slot) => native.restartAll(slot)).then(undefined, failed);
  }

  quit() {
    for (const client of new Set([this.pub, this.sub])) this.quitClient(client);
    if (this.state === State.INACTIVE || this.state === State.DESTROYED) this.release(this.state);
    else if (this.state !== State.DESTROYING) this.log('warn', `Broker ${this.id} goes on after quit(): call destroy() first`);
  }

  /** A client of the application's may be closed already, and then refuses in one way or another. */
  quitClient(client) {
    if (client === undefined) return;
    try {
      const quitting = client.quit();
      if (quitting && typeof quitting.then === 'function') contain(quitting);
    } catch (error) {
      this.log('debug', `quit() of a Redis client of the application threw: ${error.message}`);
    }
  }

  /** The broker has left: nothing of it runs on, and no answer comes any more. */
  stop() {
    this.release(State.DESTROYED, 'destroyed');
  }

  /** Gives back all that the native side holds. `what` happened to the broker, for the calls that are in flight. */
  release(state, what = 'closed') {
    const { channel } = this;
    this.channel = null;
    this.workers.abandon();
    this.lines.close();
    clearInterval(this.keepAlive);
    if (channel !== null) {
      channel.close(() => this.inFlight(what));
      channel.native.dispose();
    }
    if (state !== this.state) this.setState(state);
  }

  inFlight(what) {
    return failure('DW_ERR_STATE', `Broker ${this.id} was ${what} with the call in flight`, 'unknown');
  }

  /** Drops everything at once, as a killed process does: no goodbye, no hand-over. */
  crash() {
    if (this.channel === null) return;
    this.channel.native.crash();
    this.release(State.DESTROYED);
  }

  setState(state) {
    const from = this.state;
    this.state = state;
    this.report('debug', `Broker ${this.id} is ${STATE_NAMES[state]}`, { event: 'state', from: STATE_NAMES[from], to: STATE_NAMES[state] });
    this.emit('state', from, state);
  }

  refuse(what) {
    const text = `${what} is not allowed while broker ${this.id} is ${STATE_NAMES[this.state]}`;
    return this.PromiseClass.reject(failure('DW_ERR_STATE', text));
  }

  /** The channel of a broker that is or was started; throws where there is none. */
  started() {
    if (this.channel !== null && this.state !== State.DESTROYED) return this.channel;
    throw failure('DW_ERR_STATE', this.whyNotStarted());
  }

  whyNotStarted() {
    if (this.state === State.DESTROYED) return `Broker ${this.id} has been destroyed, and this call came after that. Call start() to use it again.`;
    return `Broker ${this.id} has not been started. Call start() and wait for it.`;
  }

  /** The class is registered here and of this broker's cluster: the others may know. */
  host(name) {
    if (this.hosted.has(name)) return;
    this.hosted.add(name);
    if (this.channel === null) return;
    this.channel.native.host(name);
    this.channel.touch();
  }

  /** For the handshakes that begin from now on; connections that are open stay. */
  prove(credentials) {
    this.credentials = credentials;
    if (this.channel !== null) this.channel.native.setCredentials(credentials.toText());
  }

  lookUp(name) {
    return lookUp(this.registry, name, this.id);
  }

  /** An event of the native core. */
  receive(kind, event, index) {
    switch (kind) {
      case ASK:
        return this.workers.ask(event[1], event[2], event[3], event[4], index);
      case TELL:
        return this.workers.tell(event[1], event[2], event[3], event[4], index);
      case CREATE:
        return this.workers.create(event, index);
      case DESTROY:
        return this.workers.endByCore(event[1], event[2]);
      case LOG:
        return this.log(event[1], event[2]);
      case NOTICE:
        return this.notice(event[1], event[2], event[3]);
      case DIRECT:
        return this.workers.opened(event[1], index);
      case TRIAL:
        return this.workers.tryOut(event[1]);
      case CANCEL:
        return this.workers.cancelled(event[1]);
      default:
        return undefined;
    }
  }

  notice(name, detail, reason) {
    if (name === 'suspended') this.workers.suspended();
    if (name === 'restart') this.restartTold();
    else if (name === 'stopped') this.stopped(detail);
    else if (name === 'brokerDead') this.brokerDead(detail);
    else if (name === 'workerLost') this.workerLost(detail, reason);
    else this.leaseChanged(name);
  }

  brokerDead(peer) {
    this.report('warn', `Broker ${peer} was found dead`, { event: 'brokerDead', peer });
    publishFinding('brokerDead', this.id, { peer });
    this.emit('brokerDead', peer);
  }

  workerLost(id, reason) {
    this.report('error', `Worker ${id} was lost: ${reason}`, { event: 'workerLost', worker: id, reason });
    publishFinding('lost', this.id, { worker: id, reason });
    this.emit('workerLost', { id, reason });
  }

  /** `name`: `'suspended'` or `'resumed'`. */
  leaseChanged(name) {
    const text = name === 'suspended' ? 'cannot prove that its lease holds: its workers get no messages' : 'has renewed its lease: its workers get messages again';
    this.report('warn', `Broker ${this.id} ${text}`, { event: name });
    this.emit(name);
  }

  /** Somebody called `restartAll()`. */
  restartTold() {
    this.log('info', `Broker ${this.id} was told to restart`);
    this.broker.restart().then(undefined, (error) => this.log('error', `The restart failed: ${error.message}`, { err: error }));
  }

  /** The native core ended by itself. That is no reason for the process to end. */
  stopped(message) {
    this.log('error', `Broker ${this.id} stopped: ${message}`);
    this.release(this.state === State.ACTIVATING ? State.INACTIVE : State.DESTROYED);
    if (this.broker.listenerCount('error') > 0) this.emit('error', failure('DW_ERR_STATE', message, 'unknown'));
  }

  logging(name, wanted) {
    if (name === 'log' && this.channel !== null) this.channel.native.logging(wanted);
  }

  /** `fields`: of the line, for a logger: `worker`, `class`, `epoch`, `peer`, `method`, `err`. */
  log(level, message, fields) {
    if (this.isHeard('log')) this.emit('log', { id: this.id, level, message });
    this.report(level, message, fields);
  }

  /** A line for a logger alone, where an event says the same to listeners. */
  report(level, message, fields) {
    if (this.logger === null) return;
    try {
      this.logger[level]({ broker: this.id, ...fields }, message);
    } catch (error) {
      throwLater(error);
    }
  }

  /** As `log`, for what may happen again and again: one line a second of each kind. */
  logOften(kind, level, message, fields) {
    if (this.isLogged()) this.lines.write(kind, level, message, fields);
  }

  isLogged() {
    return this.logger !== null || this.isHeard('log');
  }

  /** A mistake of the application that fails nothing: a line of the log, or a warning where nobody listens. */
  caution(kind, message, code = 'DW_WARN_UNKNOWN_OPTION') {
    if (this.isLogged()) this.logOften(kind, 'warn', message);
    else if (!this.silent) warnOnce(kind, message, { code });
  }

  cautionAll(mistakes) {
    for (const mistake of mistakes) this.caution(mistake, `new Broker("${this.id}"): ${mistake} The option is ignored.`);
  }

  /** Cautions of the names in an option object of `call` that its table does not have. */
  checkNames(call, table, given, elsewhere) {
    if (!hasUnknown(table, given)) return;
    for (const mistake of unknownOptions(table, given, '', elsewhere)) this.caution(`${call} ${mistake}`, `${call}: ${mistake} The option is ignored.`);
  }

  /** A failure that has no caller: a warning where neither of its events has a listener. */
  unheard(kind, message, error) {
    if (this.silent || this.isLogged() || this.isHeard('workerError')) return;
    const advice = "Listen to 'workerError' or 'log' to be told of every failure of this kind; this warning is given once.";
    const detail = error instanceof Error ? String(error.stack) : undefined;
    warnOnce(`unheard ${kind}`, `${message}. ${advice}`, { code: 'DW_WARN_UNHEARD_FAILURE', detail });
  }

  /** What another broker reports as a failure of its own: a line of the log, or a warning where nobody listens. */
  told(kind, message) {
    if (this.isHeard('log')) this.logOften(kind, 'warn', message);
    else if (!this.silent) {
      const advice = "Listen to 'log' to be told of every failure of this kind; this warning is given once.";
      warnOnce(`told ${kind}`, `${message}. ${advice}`, { code: 'DW_WARN_UNHEARD_FAILURE' });
    }
  }

  isHeard(name) {
    return this.broker.listenerCount(name) > 0;
  }

  emit(name, ...details) {
    tellListeners(this.broker, name, ...details);
  }
}

module.exports.Core = Core;
module.exports.State = State;
