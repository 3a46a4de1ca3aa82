'use strict';

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-days', '2'];
const NAMES = { server: 'DNS:redis.test,IP:127.0.0.1', client: 'DNS:client' };
const PASSPHRASE = 'open-sesame';

/**
 * An authority, and certificates of it for a server at 127.0.0.1 and for a client, made with openssl. The client's key
 * is there a second time, encrypted with `PASSPHRASE`.
 *
 * @returns {{path: function(string): string, pem: function(string): string, remove: function(): void}} files: `ca.crt`,
 *   `server.crt`, `server.key`, `client.crt`, `client.key`, `client-encrypted.key`
 */
function makeCertificates() {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'dworker-test-'));
  const openssl = (...args) => execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' });
  openssl('req', '-x509', '-nodes', ...NEW_KEY, '-keyout', 'ca.key', '-out', 'ca.crt', '-subj', '/CN=ca');
  for (const [who, names] of Object.entries(NAMES)) {
    const signed = ['-x509', '-CA', 'ca.crt', '-CAkey', 'ca.key', '-addext', `subjectAltName=${names}`, '-addext', 'basicConstraints=critical,CA:FALSE'];
    openssl('req', ...signed, '-nodes', ...NEW_KEY, '-subj', '/CN=dworker', '-keyout', `${who}.key`, '-out', `${who}.crt`);
  }
  openssl('pkcs8', '-topk8', '-in', 'client.key', '-out', 'client-encrypted.key', '-passout', `pass:${PASSPHRASE}`);
  return {
    path: (name) => path.join(directory, name),
    pem: (name) => fs.readFileSync(path.join(directory, name), 'utf8'),
    remove: () => fs.rmSync(directory, { recursive: true, force: true }),
  };
}

module.exports = { makeCertificates, PASSPHRASE };
