'use strict';

/**
 * The worker classes under test. Each activation, deactivation, and start and end of a handler is in the history before
 * its effect can be seen.
 */

const { setTimeout: sleep } = require('node:timers/promises');
const { Worker } = require('../../..');
const { now } = require('../history');

/** How long the handler of a method runs; ms. */
const LASTING = { quick: 0, short: 50, long: 2000, longest: 10000 };

/** What a handler of the method `busy` takes of its process; ms. */
const BUSY_MS = 2;

const never = () => new Promise(() => {});

const WRONG = {
  throws: () => {
    throw new TypeError('thrown');
  },
  rejectsText: () => Promise.reject('a text'),
  rejectsNothing: () => Promise.reject(),
  never,
  bigint: () => 1n,
  cycle: () => {
    const cycle = {};
    cycle.itself = cycle;
    return cycle;
  },
  giant: () => 'x'.repeat(20 * 1024 * 1024),
};

function spend(ms) {
  const end = now() + ms;
  while (now() < end);
}

function classes(history) {
  class Room extends Worker {
    onCreate(info) {
      const recoverable = this.attributes.recoverable === true;
      history.write('activate', { id: this.id, epoch: this.epoch, cause: info.cause, recoverable });
      this.load = this.attributes.load === undefined ? 1 : this.attributes.load;
    }

    onDestroy(info) {
      history.write('deactivate', { id: this.id, epoch: this.epoch, cause: info.cause });
    }

    async onAsk(method, data) {
      if (WRONG[method]) return WRONG[method]();
      const call = data === undefined ? undefined : data.call;
      history.write('begin', { id: this.id, epoch: this.epoch, call });
      if (method === 'busy') spend(BUSY_MS);
      if (LASTING[method] > 0) await sleep(LASTING[method]);
      history.write('end', { id: this.id, epoch: this.epoch, call });
      return { epoch: this.epoch };
    }

    onTell(method, data) {
      if (method === 'end') {
        history.write('ending', { id: this.id, epoch: this.epoch });
        this.destroy();
        return;
      }
      history.write('begin', { id: this.id, epoch: this.epoch, call: data.call });
      if (method === 'move') this.destroy({ noRecover: false });
      history.write('end', { id: this.id, epoch: this.epoch, call: data.call });
    }
  }

  /** A Room in which `hook` is followed by `fault`, on the broker that the attribute `at` names. */
  function wrongAt(name, hook, fault) {
    const holder = {
      [name]: class extends Room {
        [hook](info) {
          super[hook](info);
          return this.attributes.at === this.__priv.br.id ? fault() : undefined;
        }
      },
    };
    return holder[name];
  }

  class CreateSlow extends Room {
    async onCreate(info) {
      super.onCreate(info);
      await sleep(800);
    }
  }

  return [
    Room,
    CreateSlow,
    wrongAt('CreateThrows', 'onCreate', WRONG.throws),
    wrongAt('CreateHangs', 'onCreate', never),
    wrongAt('DestroyThrows', 'onDestroy', WRONG.throws),
    wrongAt('DestroyHangs', 'onDestroy', never),
  ];
}

module.exports = { classes };
