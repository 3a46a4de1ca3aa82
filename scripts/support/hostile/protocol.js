'use strict';

/** What a broker's peer says, written apart from the core so that it can be said wrongly (src/wire is the right way). */

const { createHmac, randomBytes } = require('node:crypto');

const MAGIC = Buffer.from('DWRK');
const HELLO = 1;
const PROOF = 2;
const INITIATOR = 1;
const KIND = { ask: 1, tell: 2, reply: 3, failure: 4, bounce: 5, create: 6, sync: 7, synced: 8, cancel: 9, close: 10, ping: 11, pong: 12 };

/** `rest` with its length before it. */
function framed(...rest) {
  const body = Buffer.concat(rest);
  return Buffer.concat([u32(body.length), body]);
}

const u16 = (number) => Buffer.from([number >> 8, number & 255]);
const u32 = (number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(number);
  return bytes;
};
const u64 = (number) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(number));
  return bytes;
};
const named = (text) => Buffer.concat([u16(Buffer.byteLength(text)), Buffer.from(text)]);

function hello({ ns, broker, purpose = 0, role = INITIATOR, versions = [1, 1], nonce = randomBytes(32) }) {
  const identity = [ns, broker, `hostile ${randomBytes(8).toString('hex')}`].map(named);
  const head = Buffer.from([HELLO, role, purpose]);
  return framed(MAGIC, head, u16(versions[0]), u16(versions[1]), nonce, u32(1 << 24), ...identity);
}

/** The proof under `secret` for two hellos, each without its length. */
function proof(secret, ours, theirs) {
  const parts = [ours, theirs, Buffer.alloc(0)].flatMap((part) => [u32(part.length), part]);
  const mac = createHmac('sha256', secret).update('dworker/1 initiator').update(Buffer.concat(parts)).digest();
  return framed(MAGIC, Buffer.from([PROOF, INITIATOR]), nonceOf(theirs), Buffer.from([1]), mac);
}

function nonceOf(helloFrame) {
  return helloFrame.subarray(11, 43);
}

/** The whole frames of `bytes`, each without its length, and what is left. */
function split(bytes) {
  const frames = [];
  let at = 0;
  while (bytes.length >= at + 4 && bytes.length >= at + 4 + bytes.readUInt32BE(at)) {
    const end = at + 4 + bytes.readUInt32BE(at);
    frames.push(bytes.subarray(at + 4, end));
    at = end;
  }
  return { frames, rest: bytes.subarray(at) };
}

/** A frame of messages: `encoding` 1 is JSON. */
function message(kind, { call = 0, flags = 0, encoding = 1, code = 0 }, ...rest) {
  return framed(Buffer.from([kind, flags, encoding, code]), u64(call), ...rest);
}

/** The envelope of a tell or a bounce: where it goes. */
function address(worker, method, { epoch = 1, sequence = 1 } = {}) {
  const names = [Buffer.from(worker), Buffer.from(method)];
  return Buffer.concat([u64(epoch), u32(sequence), ...names.map((name) => u16(name.length)), ...names]);
}

/** Where an ask goes, and the milliseconds that are left for its answer. */
function question(worker, method, timeLeft = 1000) {
  return Buffer.concat([u32(timeLeft), address(worker, method)]);
}

module.exports = { KIND, framed, u16, u32, u64, hello, proof, split, message, address, question };
