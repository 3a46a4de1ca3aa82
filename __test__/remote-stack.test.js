'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Agent, Worker } = require('..');
const { onEachCoordinator } = require('./helpers/systems');
const { rejection } = require('../support/wait');

class Failing extends Worker {
  onAsk(method, data) {
    if (method === 'next') return new Agent(this.id, this.__priv.br).ask('deep', 0);
    if (data > 0) return this.onAsk(method, data - 1);
    if (method === 'without') throw 'a string';
    if (method === 'large') throw Object.assign(new Error('meant to'), { stack: 'x'.repeat(100_000) });
    return this.whereItFails();
  }
  whereItFails() {
    throw new TypeError('meant to');
  }
}

onEachCoordinator((system) => {
  const agents = async (t, option) => {
    const one = system(t);
    const home = await one.start('home', { classes: [Failing], ...option });
    const away = await one.start('away', { clustername: 'clients' });
    const { id } = await home.createWorker('Failing');
    return { local: new Agent(id, home), remote: new Agent(id, away) };
  };

  test('the error of an ask carries the stack of the handler', async (t) => {
    for (const agent of Object.values(await agents(t))) {
      const error = await rejection(agent.ask('fail'));
      assert.match(error.remoteStack, /^TypeError: meant to\n +at Failing\.whereItFails .*remote-stack\.test\.js/);
      assert.match(error.stack, /^TypeError: meant to\n +at .*lib.*-- in the handler:\n +TypeError: meant to\n +at Failing\.whereItFails/s);
      assert.deepEqual(Object.keys(error).sort(), ['code', 'delivered']);
    }
  });

  test('the stacks of all handlers are there where one let the error of another through', async (t) => {
    for (const agent of Object.values(await agents(t))) {
      const error = await rejection(agent.ask('next'));
      assert.match(error.remoteStack, /-- in the handler:.*Failing\.whereItFails/s);
    }
  });

  test('a stack is cut where it is long, and absent where there is none', async (t) => {
    for (const agent of Object.values(await agents(t))) {
      assert.equal((await rejection(agent.ask('large'))).remoteStack.length, 8192);
      assert.equal((await rejection(agent.ask('without'))).remoteStack, undefined);
    }
  });

  test('a stack leaves room for the error where messages are small', async (t) => {
    for (const agent of Object.values(await agents(t, { maxMessageBytes: 1024 }))) {
      const error = await rejection(agent.ask('large'));
      assert.deepEqual([error.message, error.remoteStack.length], ['meant to', 128]);
    }
  });

  test('with remoteStack: false no stack leaves the broker', async (t) => {
    for (const agent of Object.values(await agents(t, { remoteStack: false }))) {
      const error = await rejection(agent.ask('fail'));
      assert.equal(error.remoteStack, undefined);
      assert.doesNotMatch(error.stack, /whereItFails/);
    }
  });
});
