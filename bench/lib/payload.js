/** What is sent: text that costs the same in every system. */
'use strict';

const { randomFrom } = require('./random');

const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';

/**
 * A string of `size` ASCII characters: `size` bytes in UTF-8, `size + 2` as JSON text. It goes through
 * a buffer, so V8 holds it flat and no system pays for joining pieces.
 */
function payload(size, seed) {
  const random = randomFrom(seed);
  const bytes = Buffer.alloc(size);
  for (let i = 0; i < size; i++) bytes[i] = LETTERS.charCodeAt(random(LETTERS.length));
  return bytes.toString('latin1');
}

module.exports = { payload };
