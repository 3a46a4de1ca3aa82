'use strict';

/** What is thrown at a broker: kinds of hostile input, each a function that makes one more of its kind. */

const { randomBytes, randomInt } = require('node:crypto');
const { KIND, address, framed, hello, message, question, u32 } = require('./protocol');

/** By whoever reaches the port. `recorded`: what an honest peer once said. */
function unproven({ ns, recorded }) {
  const party = { ns, broker: 'hostile' };
  const pick = (list) => list[randomInt(list.length)];
  return {
    'random bytes': () => randomBytes(randomInt(1, 400)),
    'giant lengths': () => Buffer.concat([u32(pick([1025, 1 << 20, 1 << 30, 0xffffffff])), randomBytes(randomInt(0, 64))]),
    'half handshakes': () => {
      const whole = hello(party);
      return whole.subarray(0, randomInt(1, whole.length));
    },
    'handshakes without a proof': () => Buffer.concat([hello(party), framed(Buffer.from('DWRK'), Buffer.from([2, 1]), randomBytes(33 + 32))]),
    'recorded handshakes': () => pick(recorded),
    'foreign namespaces': () => hello({ ...party, ns: 'foreign' }),
    'other versions': () => hello({ ...party, versions: pick([[0, 0], [2, 9], [9, 1]]) }),
    'hellos of the wrong role': () => hello({ ...party, role: 2 }),
    'hellos with a flipped byte': () => flipped(hello(party)),
    'frames of messages': () => message(KIND.tell, {}, address('Echo#1', 'hostile'), Buffer.from('1')),
    'the protocol of the original': () => pick([Buffer.from('\0\x11{"m":"destroy"}'), Buffer.from('\0\x04null'), Buffer.from('GET / HTTP/1.1\r\n\r\n')]),
    'TLS hellos': () => Buffer.concat([Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]), randomBytes(500)]),
  };
}

const NO_JSON = ['', '{', '1],[2', '1,2', '"', '"\\', 'nul', '[1', '{"a":}', '1 2', '\u2028', '\xff', '-', '1e', ']', '}', '"\ud800"', '[[[[[[[['].map(
  (text) => Buffer.from(text, 'latin1')
);

/** By a peer that has proven itself, without ending its connection. */
function proven({ workers }) {
  const pick = (list) => list[randomInt(list.length)];
  const call = () => randomInt(1, 2 ** 40);
  return {
    'asks whose payload is no JSON': () => message(KIND.ask, { call: call() }, question(pick(workers), 'hostile'), pick(NO_JSON)),
    'tells whose payload is no JSON': () => message(KIND.tell, {}, address(pick(workers), 'hostile'), pick(NO_JSON)),
    'asks under an epoch that never was': () => message(KIND.ask, { call: call() }, question(pick(workers), 'hostile'), Buffer.from('1')),
    'asks to workers that are not there': () => message(KIND.ask, { call: call() }, question(`no ${randomInt(1e9)}`, 'hostile'), Buffer.from('1')),
    'answers that nobody waits for': () => message(pick([KIND.reply, KIND.synced]), { call: call() }, Buffer.from('1')),
    'bounces of what was never sent': () => message(KIND.bounce, { call: call(), code: 5 }, address(pick(workers), 'hostile'), Buffer.from('1')),
    'failures of what was never asked': () => message(KIND.failure, { call: call(), code: randomInt(1, 18) }, u32(2), Buffer.from('no{')),
    'unknown kinds': () => message(randomInt(14, 256), { call: call(), flags: randomInt(256) >> 1 << 1 }, randomBytes(randomInt(0, 64))),
    'cancels of what is not running': () => message(KIND.cancel, { call: call() }),
    pings: () => message(pick([KIND.ping, KIND.pong]), { call: call() }),
  };
}

/** By a peer that has proven itself: the last thing that it says. */
function fatal() {
  return {
    'giant lengths after the handshake': () => Buffer.concat([u32(0xffffffff), randomBytes(64)]),
    'random bytes after the handshake': () => Buffer.concat([u32(0x7f000000 + randomInt(1 << 20)), randomBytes(256)]),
    'empty frames': () => u32(0),
    'frames shorter than their head': () => framed(randomBytes(randomInt(1, 12))),
    'names longer than their frame': () => message(KIND.tell, {}, Buffer.alloc(12), Buffer.from([0xff, 0xff, 0xff, 0xff])),
    'names over their limit': () => message(KIND.tell, {}, address('x'.repeat(600), 'hostile'), Buffer.from('1')),
    'unknown encodings': () => message(KIND.tell, { encoding: 77 }, address('Echo#1', 'hostile'), Buffer.from('1')),
    'names that are no text': () => message(KIND.tell, {}, Buffer.alloc(12), Buffer.from([0, 2, 0, 1, 0xff, 0xfe, 0x61]), Buffer.from('1')),
    'half frames': () => message(KIND.tell, {}, address('Echo#1', 'hostile'), Buffer.alloc(500, '1')).subarray(0, randomInt(5, 400)),
  };
}

function flipped(bytes) {
  bytes[randomInt(bytes.length)] ^= 1 << randomInt(8);
  return bytes;
}

module.exports = { unproven, proven, fatal };
