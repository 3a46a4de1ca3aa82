/**
 * What a broker proves itself by: `option.secret`.
 */
'use strict';

const { secretRefusal } = require('./refusal');

const ENVIRONMENT_SECRET = 'DWORKER_SECRET';
/** 16 random characters of base64 are 96 bits; a word that a person makes up is shorter and is guessed from one recorded handshake. */
const SHORTEST_SECRET = 16;
/** A file that was read by mistake is longer. */
const LONGEST_SECRET = 1024;
/** A rotation needs two. */
const MOST_SECRETS = 2;

const SECRET = `a string of ${SHORTEST_SECRET} to ${LONGEST_SECRET} characters, or [new, old]`;

/** Held in private fields: nothing that prints a broker prints them. */
class Credentials {
  #secrets;

  /** @param {string[]} secrets the first proves, all are accepted; none: the namespace's own */
  constructor(secrets) {
    this.#secrets = secrets;
  }

  /** The same with other secrets. */
  withSecret(secret) {
    return new Credentials(secretsOf(secret, 'secret'));
  }

  /** For the core alone. */
  toText() {
    return JSON.stringify({ secrets: this.#secrets });
  }
}

/**
 * @param {{secret: *=}} given `option`
 * @param {Object} env its `DWORKER_SECRET` stands for an absent `option.secret`
 * @returns {Credentials}
 * @throws {Error} code `DW_ERR_CONFIG`, without any part of a secret
 */
function readCredentials(given, env) {
  const { secret } = given;
  if (secret !== undefined && secret !== null) return new Credentials(secretsOf(secret, 'secret'));
  const shared = env[ENVIRONMENT_SECRET];
  return new Credentials(shared === undefined ? [] : secretsOf(shared, ENVIRONMENT_SECRET));
}

function secretsOf(value, name) {
  const secrets = Array.isArray(value) ? [...value] : [value];
  const wrong = secrets.find((secret) => !isSecret(secret));
  if (wrong !== undefined || secrets.includes(undefined)) throw secretRefusal(SECRET, name, wrong);
  if (secrets.length < 1 || secrets.length > MOST_SECRETS) throw secretRefusal(SECRET, name, value);
  return secrets;
}

function isSecret(value) {
  return typeof value === 'string' && value.length >= SHORTEST_SECRET && value.length <= LONGEST_SECRET && value.isWellFormed();
}

module.exports.readCredentials = readCredentials;
