'use strict';

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { Broker } = require('..');
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
