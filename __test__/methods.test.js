'use strict';

const assert = require('node:assert/strict');
const util = require('node:util');
const { describe, test } = require('node:test');
const { Agent, Broker, Worker } = require('..');
const { memorySystem } = require('./helpers/systems');
const { rejection, until } = require('../support/wait');

/** Its methods are of every kind that a class can have. */
class Cart extends Worker {
  static methods = ['add', 'total', 'nothing', 'fail', 'where'];
  items = [];
  async add(item) {
    this.items.push(item);
    return this.items.length;
  }
  total() {
    return this.items.length;
  }
  nothing() {}
  async fail() {
    throw Object.assign(new RangeError('out of stock'), { code: 'E_STOCK', left: 0 });
  }
  where() {
    return this.broker.id;
  }
  secret() {
    return 'secret';
  }
}

/** For each way that a message takes: how the worker and its caller are placed. */
const WAYS = {
  'of a worker of this broker': async (t, WorkerClass) => {
    const broker = await memorySystem(t).start('home', { classes: [WorkerClass] });
    return broker.createWorker(WorkerClass.name);
  },
  'of a worker of another broker': async (t, WorkerClass) => {
    const system = memorySystem(t);
    await system.start('home', { classes: [WorkerClass] });
    const away = await system.start('away', { clustername: 'clients' });
    away.registerWorker(WorkerClass, { clustername: 'main' });
    return away.createWorker(WorkerClass.name);
  },
  'of a serial worker': async (t, WorkerClass) => {
    class Serial extends WorkerClass {
      static concurrency = 'serial';
    }
    const broker = await memorySystem(t).start('home', { classes: [Serial] });
    return broker.createWorker('Serial');
  },
};

for (const [way, create] of Object.entries(WAYS)) {
  describe(`Methods ${way}`, () => {
    test('are called by ask, tell, call and send', async (t) => {
      const cart = await create(t, Cart);
      // More than one message: the first ones of a worker take another way than those that follow.
      for (let number = 0; number < 3; number += 1) {
        assert.equal(await cart.ask('total'), 4 * number);
        await cart.tell('add', 'by tell');
        await cart.send.add('by send');
        assert.equal(await cart.ask('add', 'by ask'), 4 * number + 3);
        assert.equal(await cart.call.add('by call'), 4 * number + 4);
      }
    });

    test('answer undefined where they return nothing', async (t) => {
      const cart = await create(t, Cart);
      assert.equal(await cart.call.nothing(), undefined);
      assert.equal(await cart.call.nothing(), undefined);
    });

    test('fail their caller with what they throw', async (t) => {
      const error = await rejection((await create(t, Cart)).call.fail());
      assert.deepEqual([error.name, error.message, error.code, error.left, error.delivered], ['RangeError', 'out of stock', 'E_STOCK', 0, 'yes']);
    });

    test('are reached only where they are declared', async (t) => {
      const cart = await create(t, Cart);
      const undeclared = [
        'secret', 'items', 'onAsk', 'onTell', 'onCreate', 'destroy', 'constructor', '__proto__', '__priv', 'toString', 'hasOwnProperty', 'valueOf', 'then', 'toJSON', '',
        'Symbol(dworker.record)', 'length', 'broker', 'id', 'call',
      ];
      for (const name of undeclared) {
        const error = await rejection(cart.ask(name));
        assert.deepEqual([name, error.code, error.delivered], [name, 'DW_ERR_REJECTED', 'yes']);
        assert.match(error.message, /^Worker class \w+ declares no method .*\. It declares add, total, nothing, fail, where\.$/);
      }
    });
  });
}

test('A tell to a method that is not declared is a failure that the broker reports', async (t) => {
  const broker = await memorySystem(t).start('b', { classes: [Cart] });
  const failures = [];
  broker.on('workerError', ({ method, error }) => failures.push(`${method}: ${error.message}`));
  const cart = await broker.createWorker('Cart');
  await cart.tell('secret');
  await until('it is reported', () => failures.length === 1);
  assert.match(failures[0], /^secret: Worker class Cart declares no method "secret"/);
});

describe('static methods = true', () => {
  class Base extends Worker {
    static methods = true;
    inherited() {
      return 'inherited';
    }
  }
  class Own extends Base {
    open() {
      return 'open';
    }
    once() {
      return 'once';
    }
    _private() {}
    onSale() {}
    get price() {
      throw new Error('an accessor was run');
    }
    static cheap() {}
    then() {}
    toJSON() {}
    toString() {
      return 'text';
    }
  }

  test('declares the methods of the class itself, but no hidden, inherited or special ones', async (t) => {
    const broker = await memorySystem(t).start('b', { classes: [Own] });
    const own = await broker.createWorker('Own');
    assert.equal(await own.call.open(), 'open');
    assert.equal(await own.call.once(), 'once');
    for (const name of ['inherited', '_private', 'onSale', 'price', 'cheap', 'then', 'toJSON', 'toString']) {
      assert.match((await rejection(own.ask(name))).message, /declares no method .* It declares open, once\.$/);
    }
  });

  test('works for a class made with util.inherits', async (t) => {
    function Old() {
      Worker.apply(this, arguments);
    }
    util.inherits(Old, Worker);
    Old.methods = true;
    Old.prototype.greet = (name) => `hello ${name}`;
    const broker = await memorySystem(t).start('b', { classes: [Old] });
    assert.equal(await (await broker.createWorker('Old')).call.greet('Ann'), 'hello Ann');
  });
});

describe('A list of methods', () => {
  test('may name inherited methods and fields that hold functions', async (t) => {
    class Base extends Worker {
      inherited() {
        return 'inherited';
      }
    }
    class Listed extends Base {
      static methods = ['inherited', 'field'];
      field = () => this.id;
    }
    const broker = await memorySystem(t).start('b', { classes: [Listed] });
    const agent = await broker.createWorker('Listed', { id: 'x' });
    assert.deepEqual([await agent.call.inherited(), await agent.call.field()], ['inherited', 'x']);
  });

  test('that names what the class does not have fails the call and says so', async (t) => {
    class Wrong extends Worker {
      static methods = ['ad'];
      add() {}
    }
    const broker = await memorySystem(t).start('b', { classes: [Wrong] });
    const error = await rejection((await broker.createWorker('Wrong')).call.ad());
    assert.equal(error.message, 'Worker class Wrong declares the method ad but has no function of this name');
  });

  for (const name of ['destroy', 'onAsk', 'constructor', 'id', 'toString', 'then', 'toJSON', '']) {
    test(`may not name ${JSON.stringify(name)}`, () => {
      const broker = new Broker('b', { redis: 'memory://' });
      const register = () => broker.registerWorker(class Wrong extends Worker { static methods = [name]; });
      assert.throws(register, { code: 'DW_ERR_CONFIG', message: /for static methods of the worker class but received/ });
    });
  }
});

describe('A class that was written before there were methods', () => {
  test('keeps its onAsk and onTell, whatever its statics are', async (t) => {
    for (const methods of [true, ['destroy', 'then'], { a: 1 }, 'all', 1, [1]]) {
      const told = [];
      class Old extends Worker {
        static methods = methods;
        static input = 'mine';
        onAsk(method, data) {
          return { method, data };
        }
        onTell(method) {
          told.push(method);
        }
        open() {
          throw new Error('was called');
        }
      }
      const broker = await memorySystem(t).start('b', { classes: [Old] });
      const agent = await broker.createWorker('Old');
      await agent.tell('open');
      assert.deepEqual(await agent.ask('open', 1), { method: 'open', data: 1 });
      assert.deepEqual(told, ['open']);
    }
  });

  test('without an onAsk still says that it is not implemented', async (t) => {
    class Silent extends Worker {
      open() {}
    }
    const broker = await memorySystem(t).start('b', { classes: [Silent] });
    const agent = await broker.createWorker('Silent');
    await agent.tell('open');
    assert.equal((await rejection(agent.ask('open'))).message, 'Not implemented');
  });

  test('may have a property named broker of its own', async (t) => {
    class Field extends Worker {
      broker = 'a field';
      onAsk() {
        return this.broker;
      }
    }
    function Assigned(id, broker) {
      this.broker = broker.id;
      Worker.apply(this, arguments);
    }
    util.inherits(Assigned, Worker);
    Assigned.prototype.onAsk = function () {
      return [this.broker, Object.keys(this)];
    };
    class Method extends Worker {
      broker() {
        return 'a method';
      }
      onAsk() {
        return this.broker();
      }
    }
    const broker = await memorySystem(t).start('b', { classes: [Field, Assigned, Method] });
    const answers = await Promise.all(['Field', 'Assigned', 'Method'].map(async (name) => (await broker.createWorker(name)).ask('see')));
    assert.deepEqual(answers, ['a field', ['b', ['broker']], 'a method']);
  });
});

test('worker.broker is there in the constructor, and no enumerable property', async (t) => {
  let seen;
  class Seeing extends Worker {
    constructor(...args) {
      super(...args);
      seen = [this.broker, Object.keys(this)];
    }
  }
  const broker = await memorySystem(t).start('b', { classes: [Seeing] });
  await broker.createWorker('Seeing');
  assert.equal(seen[0], broker);
  assert.deepEqual(seen[1], []);
});

test('An onAsk of the class may leave the rest to the methods, by promise or by callback', async (t) => {
  class Mixed extends Worker {
    static methods = ['twice', 'nothing', 'later'];
    onAsk(method, data, callback) {
      if (method === 'own') return callback(null, 'own');
      return method === 'later' ? super.onAsk(method, data) : super.onAsk(method, data, callback);
    }
    twice(data) {
      return 2 * data;
    }
    nothing() {}
    async later(data) {
      return data;
    }
  }
  const broker = await memorySystem(t).start('b', { classes: [Mixed] });
  const { call } = await broker.createWorker('Mixed');
  assert.deepEqual([await call.twice(4), await call.nothing(), await call.later(5)], [8, undefined, 5]);
  assert.match((await rejection(new Agent('Mixed#1', broker).call.own2())).message, /declares no method "own2"/);
  assert.equal(await new Agent('Mixed#1', broker).call.own(), 'own');
});
