/**
 * What a broker is behind its public face: its states and what it holds in each.
 */
'use strict';

const { Channel } = require('./messages/channel');
const { STRUCTURED } = require('../payload/codec');
const { outside } = require('../base/context');
const { Direct } = require('./messages/direct');
const { failure } = require('../base/errors');
const { NativeBroker, leaveAtExit } = require('../base/native');
const { contain, contextual } = require('../base/promises');
const { Events } = require('./events');
const { Reporter } = require('./reporter');
const { Recipes } = require('./recipes');
const { Registry, lookUp } = require('./registry');
const { clearInterval, setInterval } = require('../base/timers');
const { Workers } = require('./workers/workers');

const State = Object.freeze({ INACTIVE: 0, ACTIVATING: 1, ACTIVE: 2, DESTROYING: 3, DESTROYED: 4 });
const STATE_NAMES = Object.keys(State);

/** The longest interval that a timer of Node.js takes. */
const FOREVER = 0x7fffffff;

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
    this.reporter = new Reporter(broker, config.id, log);
    /** As the application chose it. */
    this.promise = promise;
    /** Whether callers are shown the stacks of handlers that failed here. */
    this.remoteStack = remoteStack;
    /** Whether messages go by the codec `'structured'`, where the class of the worker has none of its own. */
    this.structured = codec === STRUCTURED;
    this.pub = pub;
    this.sub = sub;
    this.state = State.INACTIVE;
    /** The server lost all data while this broker was up: workers that were asleep are gone. */
    this.afterWipe = false;
    this.registry = new Registry();
    /** By class, the names that it was registered by at this broker. */
    this.names = new Map();
    /** What agents make workers from. */
    this.recipes = new Recipes();
    /** Classes of this broker's cluster, which others may place here. */
    this.hosted = new Set();
    this.workers = new Workers(this);
    /** To the native core: from `start()` until the broker has been destroyed. A broker without one can be collected. */
    this.channel = null;
    this.keepAlive = null;
    /** As the last event `'ready'` said. */
    this.wasReady = false;
    this.events = new Events(this);
    // A listener may be added as soon as the constructor has returned.
    if (mistakes.length > 0) Promise.resolve().then(() => this.reporter.cautionAll(mistakes));
    // The native side makes no log events while nothing receives them.
    broker.on('newListener', (name) => this.logging(name, true));
    broker.on('removeListener', (name) => this.logging(name, this.reporter.isLogged()));
  }

  /** Of the promises that the package returns now. */
  get PromiseClass() {
    return contextual(this.promise);
  }

  start() {
    if (this.state !== State.INACTIVE && this.state !== State.DESTROYED) return this.refuse('start()');
    this.reporter.log('info', `Broker ${this.id} is starting`);
    this.setState(State.ACTIVATING);
    // The native side never keeps the process alive by itself.
    this.keepAlive = outside(setInterval, () => {}, FOREVER);
    return new this.PromiseClass((resolve, reject) => {
      const failed = (error) => {
        this.reporter.log('error', `Broker ${this.id} failed to start: ${error.message}`, { err: error });
        this.release(State.INACTIVE);
        reject(error);
      };
      const started = ({ listening }) => {
        this.setState(State.ACTIVE);
        this.reporter.log('info', `Broker ${this.id} is active and listens on ${listening}`);
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
    this.channel = new Channel((wake) => new NativeBroker(config, wake), this.promise, this.events.receive);
    this.workers.direct = this.channel.direct = new Direct(this.workers);
    this.channel.native.setCredentials(this.credentials.toText());
    this.channel.native.logging(this.reporter.isLogged());
    for (const name of this.hosted) this.channel.native.host(name);
  }

  destroy(noRecover) {
    if (this.state === State.INACTIVE) return this.PromiseClass.resolve();
    if (this.state !== State.ACTIVE) return this.refuse('destroy()');
    this.reporter.log('info', `Broker ${this.id} is being destroyed`);
    this.setState(State.DESTROYING);
    return new this.PromiseClass((resolve, reject) => {
      const ended = (error) => {
        this.stop();
        this.reporter.log('info', `Broker ${this.id} has been destroyed`);
        if (error === undefined) resolve();
        else reject(error);
      };
      const call = { resolve: () => ended(), reject: ended };
      this.workers.deactivation.leave();
      this.channel.run(call, (native, slot) => native.destroy(slot, noRecover));
    });
  }

  restart() {
    return this.destroy(true).then(() => this.start());
  }

  cordon(cordoned) {
    return this.started().call((native, slot) => native.cordon(slot, cordoned));
  }

  isReady() {
    return this.state === State.ACTIVE && this.channel !== null && this.channel.native.isReady();
  }

  /** Something that readiness depends on may have changed. */
  checkReady() {
    const ready = this.isReady();
    if (ready === this.wasReady) return;
    this.wasReady = ready;
    this.reporter.line('info', `Broker ${this.id} is ${ready ? 'ready' : 'not ready'}`, { event: 'ready', ready });
    this.reporter.emit('ready', ready);
  }

  /** @returns {Promise<boolean>} */
  pardon(id) {
    return this.started().call((native, slot) => native.pardon(slot, id));
  }

  restartAll() {
    if (this.channel === null) {
      this.reporter.log('error', `Broker ${this.id} is not started: cannot ask the brokers to restart. Call start() first`);
      return;
    }
    const failed = (error) => this.reporter.log('error', `The brokers could not be asked to restart: ${error.message}`, { err: error });
    this.channel.call((native, slot) => native.restartAll(slot)).then(undefined, failed);
  }

  quit() {
    for (const client of new Set([this.pub, this.sub])) this.quitClient(client);
    if (this.state === State.INACTIVE || this.state === State.DESTROYED) this.release(this.state);
    else if (this.state !== State.DESTROYING) this.reporter.log('warn', `Broker ${this.id} stays in the cluster after quit(). Call destroy() before quit()`);
  }

  /** A client of the application may be closed already: then its `quit()` throws or rejects. */
  quitClient(client) {
    if (client === undefined) return;
    try {
      const quitting = client.quit();
      if (quitting && typeof quitting.then === 'function') contain(quitting);
    } catch (error) {
      this.reporter.log('debug', `quit() of a Redis client of the application threw: ${error.message}`);
    }
  }

  /** The broker has left the cluster. No answer arrives any more. */
  stop() {
    this.release(State.DESTROYED, 'destroyed');
  }

  /** Releases everything that the native side holds. `what` happened to the broker: the reason for the calls that are in flight. */
  release(state, what = 'closed') {
    const { channel } = this;
    this.channel = null;
    this.workers.abandon();
    this.reporter.close();
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

  /** Drops everything at once, as a killed process does: it neither leaves the cluster nor hands workers over. */
  crash() {
    if (this.channel === null) return;
    this.channel.native.crash();
    this.release(State.DESTROYED);
  }

  setState(state) {
    const from = this.state;
    this.state = state;
    this.reporter.line('debug', `Broker ${this.id} is ${STATE_NAMES[state]}`, { event: 'state', from: STATE_NAMES[from], to: STATE_NAMES[state] });
    this.reporter.emit('state', from, state);
    this.checkReady();
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

  /** The class is registered here and belongs to this broker's cluster: other brokers may place its workers here. */
  host(name) {
    if (this.hosted.has(name)) return;
    this.hosted.add(name);
    if (this.channel === null) return;
    this.channel.native.host(name);
    this.channel.touch();
  }

  /** Uses the credentials for handshakes that begin from now on. Open connections stay open. */
  prove(credentials) {
    this.credentials = credentials;
    if (this.channel !== null) this.channel.native.setCredentials(credentials.toText());
  }

  /** The class was registered by this name. */
  named(name, WorkerClass) {
    for (const names of this.names.values()) names.delete(name);
    if (!this.names.has(WorkerClass)) this.names.set(WorkerClass, new Set());
    this.names.get(WorkerClass).add(name);
  }

  namesOf(WorkerClass) {
    return [...(this.names.get(WorkerClass) ?? [])];
  }

  /** The class of that name; `undefined` where this broker knows none. */
  find(name) {
    try {
      return this.lookUp(name);
    } catch {
      return undefined;
    }
  }

  lookUp(name) {
    return lookUp(this.registry, name, this.id);
  }

  /** A broker of the namespace called `restartAll()`. */
  restartRequested() {
    this.reporter.log('info', `Broker ${this.id} restarts: restartAll() was called on a broker of its namespace`);
    this.broker.restart().then(undefined, (error) => this.reporter.log('error', `The restart failed: ${error.message}`, { err: error }));
  }

  /** The native core stopped by itself. The process goes on. */
  stopped(message) {
    this.reporter.log('error', `Broker ${this.id} stopped: ${message}`);
    this.release(this.state === State.ACTIVATING ? State.INACTIVE : State.DESTROYED);
    if (this.broker.listenerCount('error') > 0) this.reporter.emit('error', failure('DW_ERR_STATE', message, 'unknown'));
  }

  logging(name, wanted) {
    if (name === 'log' && this.channel !== null) this.channel.native.logging(wanted);
  }
}

module.exports.Core = Core;
module.exports.State = State;
