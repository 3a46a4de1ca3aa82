/** What is sent: values of a given kind and size, the same in every system. */
'use strict';

const { seeded } = require('../../support/random');

const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
const ENTITIES = 100;

const KINDS = {
  text,
  /** A small record whose body is a string of `size` ASCII characters. */
  object: (size, random) => ({ seq: 1 + random(1e6), from: `user-${random(1000)}`, at: 1700000000000 + random(1e9), body: text(size, random) }),
  /** The state of a game room: 100 entities, about 8 KiB of JSON. */
  entities: (size, random) => Array.from({ length: ENTITIES }, (_, n) => ({ id: n, kind: 'npc', x: random(100000) / 100, y: random(100000) / 100, hp: random(100), team: text(4, random), alive: random(2) === 1 })),
  /** Bytes: a Buffer of `size`. */
  bytes: (size, random) => Buffer.from(text(size, random), 'latin1'),
};

/**
 * A string of `size` ASCII characters: `size` bytes in UTF-8, `size + 2` as JSON text. It goes through
 * a buffer, so V8 holds it flat and no system pays for joining pieces.
 */
function text(size, random) {
  const bytes = Buffer.alloc(size);
  for (let i = 0; i < size; i++) bytes[i] = LETTERS.charCodeAt(random(LETTERS.length));
  return bytes.toString('latin1');
}

/** A value of a kind; the same for the same seed. */
function payload(kind, size, seed) {
  return KINDS[kind](size, seeded(seed).below);
}

/** What raw transports send for it: ASCII text as long as the value's JSON, or the string itself. */
function rawPayload(kind, size, seed) {
  const value = payload(kind, size, seed);
  if (kind === 'bytes') return value.toString('latin1');
  return kind === 'text' ? value : JSON.stringify(value);
}

/** `16 B`, `object 1 KiB`, `entities`. */
function payloadLabel(kind, size) {
  if (kind === 'entities') return `${ENTITIES} entities`;
  const length = size < 1024 ? `${size} B` : `${size / 1024} KiB`;
  return `${kind} ${length}`;
}

module.exports = { KINDS: Object.keys(KINDS), payload, payloadLabel, rawPayload };
