/**
 * The bare transport between two addresses, without broker or Redis.
 */
'use strict';

const { EventEmitter } = require('node:events');
const { badArgument } = require('./options/arguments');
const { Channel } = require('./runtime/messages/channel');
const { outside } = require('./base/context');
const { failure } = require('./base/errors');
const { toJson } = require('./runtime/messages/send');
const { NativeRouter } = require('./base/native');
const { EVENT } = require('./protocol');
const { normalizeRouterOptions } = require('./options');
const { Bluebird, answer, contain, contextual, tellListeners } = require('./base/promises');
const { kCore, hide } = require('./base/symbols');
const { clearTimeout, setTimeout } = require('./base/timers');
const { warnOnce } = require('./base/warnings');

/** The longest interval that a timer of Node.js takes. */
const FOREVER = 0x7fffffff;
const MAX_PORT = 65535;

const { LOG, REQUEST, RESPONSE, DISCONNECT } = EVENT;

/** The state of one router: its channel exists from the first use to `close()`. */
class RouterCore {
  constructor(router, config) {
    this.router = router;
    this.config = config;
    this.channel = null;
    this.keepAlive = null;
    this.keepAliveMs = 0;
  }

  open() {
    if (this.channel !== null) return this.channel;
    const config = JSON.stringify(this.config);
    // The native side writes by itself: there is nothing to flush.
    const make = (wake) => Object.assign(new NativeRouter(config, wake), { flush: () => false });
    this.channel = new Channel(make, Bluebird, this.receive.bind(this));
    return this.channel;
  }

  /** The native side never keeps the process alive by itself: a listener does for good, a connection until it is idle. */
  hold(ms) {
    clearTimeout(this.keepAlive);
    this.keepAlive = outside(setTimeout, () => {}, ms);
    this.keepAliveMs = ms;
  }

  listen(host) {
    const before = this.keepAliveMs;
    this.hold(FOREVER);
    return this.open()
      .call((native, slot) => native.listen(slot, host))
      .catch((error) => {
        if (before !== FOREVER) this.hold(before);
        throw error;
      });
  }

  request(host, port, data) {
    const json = toJson('data', data);
    const channel = this.open();
    if (this.keepAliveMs !== FOREVER) this.hold(this.config.socTimeout || FOREVER);
    return channel.call((native, slot) => native.request(slot, host, port, json));
  }

  respond(requesterId, data) {
    const json = toJson('data', data);
    if (this.channel === null) throw failure('DW_ERR_STATE', 'The router has been closed. Create a new Router to send requests.');
    this.channel.native.respond(requesterId, json);
    return this.channel.handedOver();
  }

  close() {
    clearTimeout(this.keepAlive);
    this.keepAliveMs = 0;
    const { channel } = this;
    this.channel = null;
    if (channel === null) return;
    channel.close(() => failure('DW_ERR_STATE', 'The router was closed while the request was in flight.', 'unknown'));
    channel.native.close();
  }

  receive(kind, event) {
    switch (kind) {
      case REQUEST:
        return tellListeners(this.router, 'request', event[2], event[1]);
      case RESPONSE:
        return tellListeners(this.router, 'response', event[1]);
      case DISCONNECT:
        return tellListeners(this.router, 'disconnect', { host: event[1], port: event[2] });
      case LOG:
        return tellListeners(this.router, 'log', { level: event[1], message: event[2] });
      default:
        return undefined;
    }
  }
}

/**
 * Sends JSON between addresses. Events: `request(data, requesterId)`, `response(data)`, `disconnect({host, port})`,
 * `log({level, message})`.
 *
 * @constructor
 * @param {{socTimeout: number=}} [option] `socTimeout`: an idle connection is closed after this, ms; 0: never
 */
function Router(option) {
  EventEmitter.call(this);
  const { config, mistakes } = normalizeRouterOptions(option);
  for (const mistake of mistakes) warnOnce(`Router ${mistake}`, `new Router(): ${mistake} The option is ignored.`, { code: 'DW_WARN_UNKNOWN_OPTION' });
  hide(this, kCore, new RouterCore(this, config));
}

Object.setPrototypeOf(Router, EventEmitter);
Object.setPrototypeOf(Router.prototype, EventEmitter.prototype);

/**
 * Listens on a free port of a local address.
 *
 * @param {string} [host='0.0.0.0']
 * @param {function(Error, {address: string, port: number})} [callback]
 * @returns {Promise<{address: string, port: number}>}
 */
Router.prototype.listen = function (host, callback) {
  const [own, after] = typeof host === 'function' ? [undefined, host] : [host, callback];
  return call(this, after, (core) => {
    const address = own === undefined || own === null ? '0.0.0.0' : own;
    if (typeof address !== 'string' || address === '') throw badArgument('an IP address', 'host', address);
    return core.listen(address);
  });
};

/**
 * Sends a request; the promise is fulfilled when it is written. An answer comes as the event `response`.
 *
 * @param {{host: string, port: number}} address
 * @param {*} data JSON
 * @param {function(Error=)} [callback]
 * @returns {Promise<void>}
 */
Router.prototype.request = function (address, data, callback) {
  return call(this, callback, (core) => {
    const { host, port } = readAddress(address);
    return core.request(host, port, data);
  });
};

/**
 * Answers a request on the connection that it came by; where that has ended, a warning is logged. A rejection that
 * nobody awaits is no `unhandledRejection`.
 *
 * @param {number} requesterId what the event `request` gave
 * @param {*} data JSON
 * @param {function(Error=)} [callback]
 * @returns {Promise<void>}
 */
Router.prototype.respond = function (requesterId, data, callback) {
  const promise = call(this, callback, (core) => {
    if (!Number.isSafeInteger(requesterId) || requesterId < 0) {
      throw badArgument('the requesterId of a request', 'requesterId', requesterId);
    }
    return core.respond(requesterId, data);
  });
  return contain(promise);
};

/** Closes the listener and all connections. */
Router.prototype.close = function () {
  this[kCore].close();
};

function readAddress(address) {
  if (address === null || typeof address !== 'object') throw badArgument('an object {host, port}', 'address', address);
  const { host, port } = address;
  if (typeof host !== 'string' || host === '') throw badArgument('an IP address', 'address.host', host);
  if (!Number.isInteger(port) || port < 1 || port > MAX_PORT) {
    throw badArgument(`an integer from 1 to ${MAX_PORT}`, 'address.port', port);
  }
  return { host, port };
}

function call(router, callback, work) {
  return answer(contextual(Bluebird), callback, () => work(router[kCore]));
}

module.exports.Router = Router;
