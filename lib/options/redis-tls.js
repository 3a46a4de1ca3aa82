/**
 * TLS to Redis: the options of Node's own `tls.connect` that the core understands, in PEM.
 */
'use strict';

const { createPrivateKey, KeyObject, X509Certificate } = require('node:crypto');
const fs = require('node:fs');
const tls = require('node:tls');
const { failure } = require('../base/errors');
const { host } = require('./checks');
const { refusal, secretRefusal } = require('./refusal');
const { REDIS_TLS } = require('./table');
const { nearest } = require('./unknown');

const CERTIFICATE = /-----BEGIN CERTIFICATE-----/;
/** Each of these options changes which servers are trusted or which identity is shown, so none may be ignored. */
const NOT_UNDERSTOOD = ['pfx', 'secureContext', 'checkServerIdentity', 'crl', 'pskCallback'];

/**
 * @param {*} given `true`, or `{ca, cert, key, passphrase, servername, rejectUnauthorized}` as for `tls.connect`: PEM in
 *   strings or Buffers; `null`, `undefined` and `false` are none
 * @param {string} name the option
 * @returns {?Object} the core's `RedisTlsConfig`
 * @throws {Error} code `DW_ERR_CONFIG`, without any part of a key
 */
function normalizeTls(given, name) {
  if (given === undefined || given === null || given === false) return null;
  if (given !== true && (typeof given !== 'object' || Array.isArray(given))) throw secretRefusal('true, false or an object', name, given);
  const { ca, cert, key, passphrase, servername, rejectUnauthorized = true, ...others } = given === true ? {} : given;
  for (const other of NOT_UNDERSTOOD) {
    if (others[other] !== undefined && others[other] !== null) {
      throw failure('DW_ERR_CONFIG', `${name}.${other} is not supported. Give ca, cert and key in PEM`);
    }
  }
  refuseMisspelt(others, name);
  if (typeof rejectUnauthorized !== 'boolean') throw refusal('true or false', `${name}.rejectUnauthorized`, rejectUnauthorized);
  return {
    ca: isNone(ca) ? trustedByNode(rejectUnauthorized) : certificates(ca, `${name}.ca`),
    ...identity({ cert, key, passphrase }, name),
    servername: isNone(servername) || servername === '' ? null : host(servername, `${name}.servername`),
    rejectUnauthorized,
  };
}

/** `tls.connect` has many more options, which do no harm here. One that was meant to be one of ours would. */
function refuseMisspelt(others, name) {
  for (const other of Object.keys(others)) {
    const meant = nearest(other, Object.keys(REDIS_TLS));
    if (meant !== undefined) throw failure('DW_ERR_CONFIG', `Unknown option ${name}.${other}. Did you mean ${name}.${meant}?`);
  }
}

/** As `tls.connect` does without `ca`: the certificates that come with Node, and `NODE_EXTRA_CA_CERTS`. */
function trustedByNode(needed) {
  if (!needed) return [];
  if (typeof tls.getCACertificates === 'function') return tls.getCACertificates('default');
  return [...tls.rootCertificates, ...extraCertificates(process.env.NODE_EXTRA_CA_CERTS)];
}

/** Node itself warns about a file that it cannot read, and goes on. */
function extraCertificates(file) {
  if (!file) return [];
  try {
    return [fs.readFileSync(file, 'utf8')];
  } catch {
    return [];
  }
}

function identity({ cert, key, passphrase }, name) {
  if (isNone(cert) && isNone(key)) return { cert: null, key: null };
  if (isNone(key)) throw refusal('the private key of the certificate', `${name}.key`, key);
  if (isNone(cert)) throw refusal('the certificate of the private key', `${name}.cert`, cert);
  const chain = certificates(cert, `${name}.cert`).join('\n');
  const privateKey = readKey(key, passphrase, name);
  if (!new X509Certificate(chain).checkPrivateKey(privateKey)) {
    throw failure('DW_ERR_CONFIG', `Expected ${name}.key to be the private key of ${name}.cert but it does not match`);
  }
  return { cert: chain, key: privateKey.export({ type: 'pkcs8', format: 'pem' }) };
}

function certificates(given, name) {
  const all = (Array.isArray(given) ? given : [given]).map(text);
  if (all.length === 0 || !all.every(isCertificate)) throw secretRefusal('certificates in PEM', name, given);
  return all;
}

function isCertificate(pem) {
  if (pem === undefined || !CERTIFICATE.test(pem)) return false;
  try {
    return new X509Certificate(pem) !== undefined;
  } catch {
    return false;
  }
}

/** Encrypted keys and old forms are taken too; the core gets PKCS #8. */
function readKey(given, passphrase, name) {
  const [first, ...rest] = Array.isArray(given) ? given : [given];
  const { pem, passphrase: own } = first?.pem === undefined ? { pem: first } : first;
  const wrong = () => secretRefusal('a private key in PEM, with passphrase if it is encrypted,', `${name}.key`, given);
  if (rest.length > 0) throw wrong();
  if (pem instanceof KeyObject) return pem;
  try {
    return createPrivateKey({ key: text(pem), passphrase: own ?? passphrase });
  } catch {
    // Its own error may quote what it was given.
    throw wrong();
  }
}

function text(pem) {
  if (typeof pem === 'string') return pem;
  return ArrayBuffer.isView(pem) ? Buffer.from(pem.buffer, pem.byteOffset, pem.byteLength).toString('latin1') : undefined;
}

function isNone(value) {
  return value === undefined || value === null;
}

module.exports.normalizeTls = normalizeTls;
