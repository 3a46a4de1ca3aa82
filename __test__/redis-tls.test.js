'use strict';

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { Broker } = require('..');
const { PASSPHRASE, makeCertificates } = require('./helpers/certificates');
const { echo } = require('./helpers/classes');
const { atEnd } = require('./helpers/cleanup');
const { runToEnd } = require('./helpers/programs');
const { freePort } = require('../support/ports');
const { startRedis } = require('../support/redis-server');
const { rejection } = require('../support/wait');

describe('Redis over TLS that asks for a client certificate', () => {
  let certificates, server, url;
  before(async () => {
    certificates = makeCertificates();
    const port = await freePort();
    const settings = { 'tls-port': port, 'tls-auth-clients': 'optional' };
    settings['tls-cert-file'] = certificates.path('server.crt');
    settings['tls-key-file'] = certificates.path('server.key');
    settings['tls-ca-cert-file'] = certificates.path('ca.crt');
    server = await startRedis({ settings });
    url = `rediss://127.0.0.1:${port}`;
  });
  after(async () => {
    await server?.stop();
    certificates?.remove();
  });

  function broker(t, redis) {
    const made = new Broker('b', { redis, ns: `n${Math.random()}` });
    made.registerWorker(echo());
    atEnd(t, async () => {
      if (made.state === Broker.State.ACTIVE) await made.destroy();
      made.quit();
    });
    return made;
  }

  async function assertWorks(t, redis) {
    const b = broker(t, redis);
    await b.start();
    assert.equal(await (await b.createWorker('Echo')).ask('m', 1), 1);
  }

  test('takes a broker that trusts its authority, with certificates in strings or Buffers, its key encrypted or not', async (t) => {
    const ca = certificates.pem('ca.crt');
    const cert = certificates.pem('client.crt');
    await assertWorks(t, { url, tls: { ca } });
    await assertWorks(t, { url, tls: { ca: [Buffer.from(ca)], servername: 'redis.test' } });
    await server.command('CONFIG SET tls-auth-clients yes');
    await assertWorks(t, { url, tls: { ca, cert, key: certificates.pem('client.key') } });
    await assertWorks(t, { url, tls: { ca, cert: Buffer.from(cert), key: Buffer.from(certificates.pem('client-encrypted.key')), passphrase: PASSPHRASE } });
    assert.equal((await rejection(broker(t, { url, tls: { ca } }).start())).code, 'DW_ERR_REDIS');
    await server.command('CONFIG SET tls-auth-clients optional');
  });

  test('is refused by a broker that does not trust it, unless verification is switched off', async (t) => {
    const error = await rejection(broker(t, url).start());
    assert.deepEqual([error.code, error.delivered], ['DW_ERR_REDIS', 'no']);
    assert.match(error.message, /TLS: invalid peer certificate: UnknownIssuer/);
    await assertWorks(t, { url, tls: { rejectUnauthorized: false } });
  });

  test('is named by DWORKER_REDIS_URL, and trusted by NODE_EXTRA_CA_CERTS', async () => {
    const env = { DWORKER_REDIS_URL: url, NODE_EXTRA_CA_CERTS: certificates.path('ca.crt') };
    const { stdout, stderr, code } = await runToEnd('readme-class.js', env);
    assert.deepEqual([stderr, code], ['', 0]);
    assert.match(stdout, /Test: DONE!/);
  });

  test('a key that is not that of the certificate, or has no or a wrong passphrase, is refused without showing it', (t) => {
    const ca = certificates.pem('ca.crt');
    const cert = certificates.pem('client.crt');
    const cases = [
      [{ ca, cert, key: certificates.pem('server.key') }, /^Expected redis\.tls\.key to be the private key of redis\.tls\.cert but it does not match$/],
      [{ ca, cert, key: certificates.pem('client-encrypted.key') }, /^Expected a private key in PEM, with passphrase .+ for redis\.tls\.key but received \(hidden\)/],
      [{ ca, cert, key: certificates.pem('client-encrypted.key'), passphrase: 'x' }, /for redis\.tls\.key but received \(hidden\)/],
      [{ ca, cert }, /^Expected the private key of the certificate for redis\.tls\.key but received undefined/],
      [{ ca: certificates.pem('client.key') }, /^Expected certificates in PEM for redis\.tls\.ca but received \(hidden\)/],
    ];
    for (const [tls, message] of cases) assert.throws(() => broker(t, { url, tls }), { code: 'DW_ERR_CONFIG', message });
  });
});
