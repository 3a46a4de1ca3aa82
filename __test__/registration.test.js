'use strict';

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const util = require('node:util');
const { Broker, Worker } = require('..');
const { memorySystem } = require('./helpers/systems');
const { echo, inEachStyle, worker } = require('./helpers/classes');

/** A broker, and the names that its registry was given. */
function observed() {
  const broker = new Broker('b', { redis: 'memory://registration' });
  const names = [];
  broker.setWorkerRegistry({ add: (name) => names.push(name), get() {} });
  return { broker, names };
}

inEachStyle(describe, (define) => {
  test('the given name goes before classname, and that before the name of the class', () => {
    const { broker, names } = observed();
    const W = define('W', {});
    broker.registerWorker(W);
    W.classname = 'Other';
    broker.registerWorker(W);
    broker.registerWorker('Given', W);
    assert.deepEqual(names, ['W', 'Other', 'Given']);
  });

  test('the cluster: the option, else what the class has, else main', () => {
    const { broker } = observed();
    const W = define('W', {});
    broker.registerWorker(W);
    assert.equal(W.clustername, 'main');
    W.clustername = 'app';
    broker.registerWorker(W);
    assert.equal(W.clustername, 'app');
    broker.registerWorker(W, { clustername: 'games' });
    assert.equal(W.clustername, 'games');
    broker.registerWorker('Named', W, { clustername: 'named' });
    assert.equal(W.clustername, 'named');
    broker.registerWorker('Named', W, {});
    assert.equal(W.clustername, 'named');
  });

  test('registering a name again replaces it', async (t) => {
    const broker = await memorySystem(t).start('b', { classes: [echo('W')] });
    broker.registerWorker(define('W', { onAsk: () => 'the second' }));
    assert.equal(await (await broker.createWorker('W')).ask('x'), 'the second');
  });
});

test('a refused class is left as it was', () => {
  const { broker, names } = observed();
  const W = worker('W');
  assert.throws(() => broker.registerWorker(W, { clustername: 7 }));
  assert.equal(W.clustername, undefined);
  assert.deepEqual(names, []);
});

/** What a broker says when these classes are registered one after the other, each call with its own arguments. */
function cautions(t, ...registrations) {
  const broker = memorySystem(t).broker('b');
  const lines = [];
  broker.on('log', ({ level, message }) => { if (level === 'warn') lines.push(message); });
  for (const args of registrations) broker.registerWorker(...args);
  return lines;
}

describe('two classes of the same name', () => {
  const inherits = (handler) => {
    function a() {
      Worker.apply(this, arguments);
    }
    util.inherits(a, Worker);
    a.prototype.onAsk = handler;
    return a;
  };
  const Cart = class a extends Worker { onAsk() { return 'cart'; } };
  const User = class a extends Worker { onAsk() { return 'user'; } };

  test('from different code are noticed, and the advice is static classname', (t) => {
    const [line, ...more] = cautions(t, [Cart], [User]);
    assert.match(line, /^registerWorker\(\): Two different classes are named a; .*static classname/);
    assert.deepEqual(more, []);
  });

  test('made with util.inherits() are compared by their handlers', (t) => {
    assert.equal(cautions(t, [inherits(() => 1)], [inherits(() => 2)]).length, 1);
    assert.deepEqual(cautions(t, [inherits(echo)], [inherits(echo)]), []);
    function echo() {}
  });

  test('are no mistake when it is the same class, the same code, or when the name was given', (t) => {
    const reloaded = () => class a extends Worker { onAsk() { return 'same'; } };
    assert.deepEqual(cautions(t, [Cart], [Cart], ['a', User]), []);
    assert.deepEqual(cautions(t, [reloaded()], [reloaded()]), []);
    assert.deepEqual(cautions(t, [Cart], [class a extends Worker { static classname = 'Other'; }]), []);
  });
});
