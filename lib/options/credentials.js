/**
 * What a broker proves itself by: `option.secret` and `option.tls`.
 */
'use strict';

const { createSecureContext } = require('node:tls');
const { secretRefusal } = require('./refusal');
const { failure } = require('../base/errors');

const ENVIRONMENT_SECRET = 'DWORKER_SECRET';
/** 16 random characters of base64 are 96 bits; what a person makes up is guessed from one recorded handshake. */
const SHORTEST_SECRET = 16;
/** A file that was read by mistake is longer. */
const LONGEST_SECRET = 1024;
/** A rotation needs two. */
const MOST_SECRETS = 2;

const SECRET = `a string of ${SHORTEST_SECRET} to ${LONGEST_SECRET} characters, or [new, old]`;
const TLS = 'an object {key, cert, ca}';
const PEM = 'PEM text in a string or a Buffer';

/** Held in private fields: nothing that prints a broker prints them. */
class Credentials {
  #secrets;
  #tls;

  /**
   * @param {string[]} secrets all are tried; none: the namespace's own
   * @param {?{key: string, cert: string, ca: string}} tls PEM texts; `null`: in the clear
   */
  constructor(secrets, tls) {
    this.#secrets = secrets;
    this.#tls = tls;
  }

  /** The same with another secret. */
  withSecret(secret) {
    return new Credentials(secretsOf(secret, 'secret'), this.#tls);
  }

  /** The same with other certificates: never a broker in the clear that was not, or the other way round. */
  withTls(tls) {
    if (this.#tls === null) throw failure('DW_ERR_CONFIG', 'Expected a broker that was constructed with option.tls for setSecureContext() but this broker has none');
    return new Credentials(this.#secrets, tlsOf(tls, 'tls'));
  }

  /** For the core alone. */
  toText() {
    return JSON.stringify({ secrets: this.#secrets, tls: this.#tls });
  }
}

/**
 * @param {{secret: *=, tls: *=}} given `option`
 * @param {Object} env its `DWORKER_SECRET` is used if `option.secret` is absent
 * @returns {Credentials}
 * @throws {Error} code `DW_ERR_CONFIG`, without any part of a secret
 */
function readCredentials(given, env) {
  const { tls } = given;
  return new Credentials(givenSecrets(given.secret, env), isAbsent(tls) ? null : tlsOf(tls, 'tls'));
}

function givenSecrets(secret, env) {
  if (!isAbsent(secret)) return secretsOf(secret, 'secret');
  const shared = env[ENVIRONMENT_SECRET];
  return shared === undefined ? [] : secretsOf(shared, ENVIRONMENT_SECRET);
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

function tlsOf(value, name) {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw secretRefusal(TLS, name, value);
  const pem = (part) => pemText(value[part], `${name}.${part}`);
  const tls = { key: pem('key'), cert: pem('cert'), ca: pem('ca') };
  try {
    // Finds what is no key, and the key of another certificate, here and now instead of at start().
    createSecureContext(tls);
  } catch (error) {
    throw failure('DW_ERR_CONFIG', `Expected a private key, its certificate and certificate authorities for ${name} but they cannot be used: ${error.code ?? 'they do not match'}`);
  }
  return tls;
}

function pemText(value, name) {
  const text = Buffer.isBuffer(value) ? value.toString('utf8') : value;
  if (typeof text !== 'string' || !text.includes('-----BEGIN ')) throw secretRefusal(PEM, name, value);
  return text;
}

function isAbsent(value) {
  return value === undefined || value === null;
}

module.exports.readCredentials = readCredentials;
