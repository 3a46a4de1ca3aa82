/**
 * The functions of `agent.call` and `agent.send`: one for each method of the worker.
 */
'use strict';

const { hide } = require('../../base/symbols');

/** The agent that the functions of an object send through. */
const kAgent = Symbol('dworker.agent');
/** How each property of an agent sends. */
const SENDERS = {
  call(name) {
    return function (data, callback) {
      const agent = this[kAgent];
      return callback === undefined ? agent.ask(name, data) : agent.ask(name, data, callback);
    };
  },
  send(name) {
    return function (data, callback) {
      const agent = this[kAgent];
      return callback === undefined ? agent.tell(name, data) : agent.tell(name, data, callback);
    };
  },
};
/** Names that `await`, serializers and test frameworks look up on any object: they are methods only if a class declares them. */
const LOOKED_FOR = new Set([...Object.getOwnPropertyNames(Object.prototype), 'then', 'catch', 'finally', 'toJSON', 'inspect', 'nodeType', 'tagName', 'asymmetricMatch', 'length']);

/** Objects with the functions for the methods of a class, made once for each. */
const prototypes = { call: new WeakMap(), send: new WeakMap() };

/**
 * An object whose functions send messages through the agent. Where the methods of the class are known it has these and nothing else;
 * otherwise any name is a method.
 *
 * @param {Agent} agent
 * @param {'call'|'send'} how
 * @param {?Map<string, *>} methods of the class
 * @returns {Object}
 */
function stubs(agent, how, methods) {
  const known = methods !== undefined && methods !== null;
  const target = Object.create(known ? prototypeFor(how, methods) : null);
  hide(target, kAgent, agent);
  hide(target, Symbol.toStringTag, `${how} of ${agent.id}`);
  hide(target, Symbol.toPrimitive, () => `[object ${how} of ${agent.id}]`);
  return known ? target : new Proxy(target, ANY_NAME[how]);
}

function prototypeFor(how, methods) {
  let prototype = prototypes[how].get(methods);
  if (prototype === undefined) {
    prototype = Object.create(null);
    for (const name of methods.keys()) hide(prototype, name, SENDERS[how](name));
    prototypes[how].set(methods, prototype);
  }
  return prototype;
}

function anyName(makeSender) {
  return {
    get(target, name) {
      if (typeof name === 'symbol' || name in target) return target[name];
      return LOOKED_FOR.has(name) || /^(_|@@|\$\$)/.test(name) ? undefined : makeSender(name).bind(target);
    },
  };
}

const ANY_NAME = { call: anyName(SENDERS.call), send: anyName(SENDERS.send) };

module.exports.stubs = stubs;
