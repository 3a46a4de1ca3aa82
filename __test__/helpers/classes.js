'use strict';

const util = require('node:util');
const { Worker } = require('../..');

/**
 * The two ways to write a worker class: `define(name, handlers, construct)`; `construct` runs in the constructor, after
 * that of `Worker`.
 */
const STYLES = {
  'util.inherits': (name, handlers, construct) => {
    const holder = {
      [name]: function () {
        Worker.apply(this, arguments);
        if (construct) construct.call(this);
      },
    };
    util.inherits(holder[name], Worker);
    Object.assign(holder[name].prototype, handlers);
    return holder[name];
  },
  'ES class': (name, handlers, construct) => {
    const holder = {
      [name]: class extends Worker {
        constructor(...args) {
          super(...args);
          if (construct) construct.call(this);
        }
      },
    };
    for (const [key, value] of Object.entries(handlers)) {
      Object.defineProperty(holder[name].prototype, key, { value, writable: true, configurable: true });
    }
    return holder[name];
  },
};

/** Runs the same tests for both: `define((name, handlers, construct) => class)`. */
function inEachStyle(describe, define) {
  for (const [style, make] of Object.entries(STYLES)) describe(`with ${style}`, () => define(make));
}

/** An ES class of these handlers. */
function worker(name, handlers = {}, construct = undefined) {
  return STYLES['ES class'](name, handlers, construct);
}

/** Answers what it is asked. */
function echo(name = 'Echo') {
  return worker(name, {
    onAsk(method, data) {
      return data;
    },
  });
}

module.exports = { inEachStyle, worker, echo };
