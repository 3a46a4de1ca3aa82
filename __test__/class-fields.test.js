'use strict';

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { Broker, Worker } = require('..');
const { memorySystem } = require('./helpers/systems');
const { rejection } = require('../support/wait');

const isolated = () => new Broker('b', { redis: 'memory://' });

describe('A class field', () => {
  test('named load is the load, at once and later', async (t) => {
    class Loaded extends Worker {
      load = 50;
      onAsk(method, data) {
        this.load = data;
        return this.load;
      }
    }
    const broker = await memorySystem(t).start('b', { classes: [Loaded] });
    const agent = await broker.createWorker('Loaded');
    assert.equal(broker.load, 50);
    assert.equal(await agent.ask('set', 70.5), 70);
    assert.equal(broker.load, 70);
  });

  test('without a value declares a property and hides none', async (t) => {
    class Declared extends Worker {
      id;
      attributes;
      load;
      onAsk() {
        return [this.id, this.attributes.colour, this.load];
      }
    }
    const broker = await memorySystem(t).start('b', { classes: [Declared] });
    const agent = await broker.createWorker('Declared', { id: 'x', attributes: { colour: 'red' } });
    assert.deepEqual(await agent.ask('see'), ['x', 'red', 1]);
  });

  test('named epoch is the class\'s own', async (t) => {
    class Field extends Worker {
      epoch = 7;
      onAsk() {
        return this.epoch;
      }
    }
    class Assigned extends Worker {
      onAsk() {
        this.epoch = 8;
        return this.epoch;
      }
    }
    const broker = await memorySystem(t).start('b', { classes: [Field, Assigned] });
    assert.equal(await (await broker.createWorker('Field')).ask('see'), 7);
    assert.equal(await (await broker.createWorker('Assigned')).ask('see'), 8);
  });

  for (const name of ['id', 'state', 'attributes']) {
    test(`named ${name} makes the creation fail and says why`, async (t) => {
      const Field = class Field extends Worker {};
      const Hiding = class Hiding extends Field {
        [name] = 'mine';
      };
      const broker = await memorySystem(t).start('b', { classes: [Hiding] });
      const error = await rejection(broker.createWorker('Hiding'));
      assert.match(error.message, new RegExp(`Worker class Hiding has a field named ${name}, which hides the property ${name} of Worker`));
      assert.equal(await broker.findWorker('Hiding#1'), null);
    });

    test(`is not needed to see that ${name} is read-only, also in sloppy mode`, async (t) => {
      const setSloppily = new Function('worker', 'name', 'worker[name] = "mine"');
      class Setter extends Worker {
        onAsk() {
          setSloppily(this, name);
        }
      }
      const broker = await memorySystem(t).start('b', { classes: [Setter] });
      const error = await rejection((await broker.createWorker('Setter')).ask('set'));
      assert.match(error.message, new RegExp(`The property ${name} of a Worker is read-only: Setter must not set it`));
    });

    test(`is not needed either: a method named ${name} is refused at registration`, () => {
      class Method extends Worker {}
      Object.defineProperty(Method.prototype, name, { value() {} });
      assert.throws(() => isolated().registerWorker(Method), { code: 'DW_ERR_CONFIG', message: /has a method named/ });
    });
  }

  test('is not needed to hide the load: a method or a mere getter is refused, an accessor that passes it on is not', () => {
    class Method extends Worker {
      load() {}
    }
    class Getter extends Worker {
      get load() {
        return 3;
      }
    }
    class Passing extends Worker {
      get load() {
        return super.load;
      }
      set load(value) {
        super.load = value;
      }
    }
    assert.throws(() => isolated().registerWorker(Method), /Worker class Method has a method named load/);
    assert.throws(() => isolated().registerWorker(Getter), /Worker class Getter has a getter without a setter named load/);
    isolated().registerWorker(Passing);
  });
});
