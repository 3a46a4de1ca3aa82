'use strict';

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { setImmediate: turn } = require('node:timers/promises');
const { Channel } = require('../lib/runtime/messages/channel');

/** A native side that says what it is told to, and remembers what it was called with. */
class Script {
  constructor() {
    this.batches = [];
    this.large = new Map();
    this.calls = [];
    this.ended = [];
    this.flushes = 0;
    this.local = false;
  }
  drain() {
    return this.batches.shift() ?? null;
  }
  take(index) {
    return this.large.get(index);
  }
  flush() {
    this.flushes += 1;
    return this.local;
  }
  ask(slot) {
    this.calls.push(slot);
  }
  tell() {
    return this.handsOver;
  }
  done(inbound) {
    this.ended.push(inbound);
  }
  fail(...args) {
    this.calls.push(args);
  }
}

function open(PromiseClass = Promise) {
  const script = new Script();
  const received = [];
  let wake;
  const make = (given) => {
    wake = given;
    return script;
  };
  const channel = new Channel(make, PromiseClass, (kind, event) => received.push([kind, ...event.slice(1)]));
  // What ends a turn here is the number of events, not how busy the machine is.
  channel.pace.isOver = () => false;
  const say = (...events) => {
    script.batches.push(JSON.stringify(events));
    wake();
  };
  return { script, channel, received, say, wake: (batch) => wake(batch) };
}

describe('the channel', () => {
  test('settles each call with the event of its slot', async () => {
    const { channel, script, say } = open();
    const [first, second] = [channel.ask('w', 'm', '1', 1, 100), channel.ask('w', 'm', '2', 1, 100)];
    say([0, script.calls[1], 'two'], [1, script.calls[0], 'DW_ERR_TIMEOUT', 'unknown', 'late']);
    assert.equal(await second, 'two');
    await assert.rejects(first, { message: 'late', code: 'DW_ERR_TIMEOUT', delivered: 'unknown' });
    assert.equal(channel.calls.size, 0);
  });

  test('gives undefined where the answer has no value', async () => {
    const { channel, script, say } = open();
    const asked = channel.ask('w', 'm', undefined, 1, 100);
    say([0, script.calls[0]]);
    assert.equal(await asked, undefined);
  });

  test('flushes once a turn, whatever the number of messages', async () => {
    const { channel, script } = open();
    for (let n = 0; n < 10; n += 1) channel.ask('w', 'm', '1', 1, 100);
    assert.equal(script.flushes, 0);
    await turn();
    assert.equal(script.flushes, 1);
    channel.ask('w', 'm', '1', 1, 100);
    await turn();
    assert.equal(script.flushes, 2);
  });

  test('takes a batch that comes with a wake, and leaves it to the core to write what comes of it', async () => {
    const { channel, script, received, wake } = open();
    channel.receiver.receive = (kind, event) => {
      received.push([kind, ...event.slice(1)]);
      channel.touch();
    };
    assert.equal(wake('[[3,1,"m"],[3,2,"m"]]'), 256);
    assert.deepEqual(received, [[3, 1, 'm'], [3, 2, 'm']]);
    await turn();
    assert.equal(script.flushes, 0);
    channel.touch();
    await turn();
    assert.equal(script.flushes, 1);
  });

  test('has the core write what is left to send when it takes no batch from it', async () => {
    const { channel, script, received, say } = open();
    channel.receiver.receive = (kind, event) => {
      received.push([kind, ...event.slice(1)]);
      channel.touch();
    };
    say([3, 1, 'm']);
    await turn();
    assert.deepEqual([received.length, script.flushes, channel.dirty], [1, 0, false]);
  });

  test('wants no batch with the next wake while it has one, and takes none when it is woken meanwhile', async () => {
    const { script, received, wake } = open();
    const batch = (from, length) => JSON.stringify(Array.from({ length }, (_, n) => [3, from + n, 'm']));
    assert.equal(wake(batch(0, 300)), 0);
    script.batches.push(batch(300, 1));
    assert.equal(wake(), 0);
    assert.equal(received.length, 256);
    await turn();
    assert.deepEqual(received.map(([, n]) => n), Array.from({ length: 301 }, (_, n) => n));
    assert.equal(wake(batch(301, 1)), 256);
    assert.equal(received.length, 302);
  });

  test('drains what waits in the process itself in a turn of its own', async () => {
    const { channel, script, received } = open();
    script.local = true;
    script.batches.push('[[3,7,"hello"]]');
    channel.touch();
    await Promise.resolve();
    assert.deepEqual(received, []);
    await turn();
    assert.deepEqual(received, [[3, 7, 'hello']]);
  });

  test('handles at most 256 events in one turn and the rest, in order, in the next ones', async () => {
    const { received, say } = open();
    say(...Array.from({ length: 600 }, (_, n) => [3, n, 'm']));
    assert.equal(received.length, 256);
    await turn();
    assert.equal(received.length, 512);
    await turn();
    assert.deepEqual(received.map(([, n]) => n), Array.from({ length: 600 }, (_, n) => n));
  });

  test('takes a new batch only when the last one is done, however often it is woken', async () => {
    const { script, received, say, wake } = open();
    script.batches.push(JSON.stringify(Array.from({ length: 300 }, (_, n) => [3, n, 'm'])));
    say([3, 300, 'm']);
    wake();
    assert.equal(received.length, 256);
    await turn();
    assert.deepEqual(received.map(([, n]) => n), Array.from({ length: 301 }, (_, n) => n));
  });

  test('looks again when it was woken while the rest of a batch waited for the next turn', async () => {
    const { channel, script, received, say } = open();
    channel.touch();
    script.batches.push(JSON.stringify(Array.from({ length: 200 }, (_, n) => [3, n, 'm'])));
    say(...Array.from({ length: 100 }, (_, n) => [3, 200 + n, 'm']));
    assert.equal(received.length, 256);
    await Promise.resolve();
    say([3, 300, 'm']);
    await turn();
    assert.deepEqual(received.map(([, n]) => n), Array.from({ length: 301 }, (_, n) => n));
  });

  test('replaces the place and form of a payload that was sent apart by its value', () => {
    const { script, received, say } = open();
    script.large.set(4, '{"big":true}');
    say([18, 1, 2, 'm', 4 * 8 + 1], [19, 0, 2, 'm', 4 * 8 + 1]);
    assert.deepEqual(received, [[2, 1, 2, 'm', { big: true }], [3, 0, 2, 'm', { big: true }]]);
  });

  test('fails the one message whose large payload is not JSON, and no other', async () => {
    const { channel, script, received, say } = open();
    const asked = channel.ask('w', 'm', '1', 1, 100);
    script.large.set(4, '{"cut');
    say([16, script.calls[0], 33], [18, 9, 2, 'm', 33], [19, 5, 2, 'm', 33], [19, 0, 2, 'm', 33], [3, 0, 2, 'after']);
    await assert.rejects(asked, { code: 'DW_ERR_REJECTED', message: /^The payload cannot be decoded/ });
    assert.equal(script.calls[1][0], 9);
    // A worker that takes one message at a time goes on.
    assert.deepEqual(script.ended, [5]);
    assert.match(script.calls[1][1], /^The payload cannot be decoded/);
    assert.deepEqual(received, [[3, 0, 2, 'after']]);
  });

  test('makes no promise for a tell that is handed over at once', () => {
    const { channel, script } = open();
    script.handsOver = true;
    assert.equal(channel.tell('w', 'm', '1', 1), channel.tell('w', 'm', '2', 1));
    assert.equal(channel.calls.size, 0);
    script.handsOver = false;
    assert.notEqual(channel.tell('w', 'm', '3', 1), channel.done);
    assert.equal(channel.calls.size, 1);
  });

  test('rejects all outstanding calls when it closes, and handles no event afterwards', async () => {
    const { channel, received, say } = open();
    const asked = channel.ask('w', 'm', '1', 1, 100);
    channel.close(() => new Error('closed'));
    await assert.rejects(asked, { message: 'closed' });
    say([3, 1, 'late']);
    assert.deepEqual(received, []);
  });

  test('never gives an outstanding slot again', () => {
    const { channel, script } = open();
    channel.ask('w', 'm', '1', 1, 100);
    channel.calls.lastSlot = 0x3fffffff;
    channel.ask('w', 'm', '1', 1, 100);
    assert.deepEqual(script.calls, [1, 2]);
  });
});
