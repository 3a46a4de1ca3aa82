'use strict';

const assert = require('node:assert/strict');
const { once } = require('node:events');
const net = require('node:net');
const { test } = require('node:test');
const { Router } = require('..');
const { atEnd } = require('./helpers/cleanup');
const { freePort } = require('../support/ports');
const { called, rejection, until } = require('../support/wait');

const HOST = '127.0.0.1';

/** Routers that listen, closed when the test ends, with what they hear. */
async function routers(t, count, option) {
  const made = [];
  for (let n = 0; n < count; n += 1) {
    const router = new Router(option);
    atEnd(t, () => router.close());
    const heard = { requests: [], responses: [], disconnects: [], logs: [] };
    router.on('request', (data, requesterId) => heard.requests.push([data, requesterId]));
    router.on('response', (data) => heard.responses.push(data));
    router.on('disconnect', (address) => heard.disconnects.push(address));
    router.on('log', (event) => heard.logs.push(event));
    const { address, port } = await router.listen(HOST);
    assert.equal(address, HOST);
    made.push({ router, port, heard });
  }
  return made;
}

test('a request goes to the other side, and an answer back on its connection', async (t) => {
  const [a, b] = await routers(t, 2);
  assert.equal(await a.router.request({ host: HOST, port: b.port }, { msg: 'hello' }), undefined);
  await until('it is there', () => b.heard.requests.length === 1);
  const [data, requesterId] = b.heard.requests[0];
  assert.deepEqual(data, { msg: 'hello' });
  b.router.respond(requesterId, { msg: 'welcome' });
  await until('the answer is there', () => a.heard.responses.length === 1);
  assert.deepEqual(a.heard.responses, [{ msg: 'welcome' }]);
  assert.deepEqual([a.heard.requests, b.heard.responses], [[], []]);
});

test('requests keep their order, also those that wait for the connection', async (t) => {
  const [a, b] = await routers(t, 2);
  const sent = Array.from({ length: 200 }, (_, n) => n);
  await Promise.all(sent.map((n) => a.router.request({ host: HOST, port: b.port }, n)));
  await until('all are there', () => b.heard.requests.length === sent.length);
  assert.deepEqual(b.heard.requests.map(([n]) => n), sent);
  assert.equal(new Set(b.heard.requests.map(([, id]) => id)).size, 1);
});

test('a router talks to itself and to others', async (t) => {
  const [a, b] = await routers(t, 2);
  await a.router.request({ host: HOST, port: a.port }, 'to itself');
  await a.router.request({ host: HOST, port: b.port }, 'to another');
  await until('both are there', () => a.heard.requests.length + b.heard.requests.length === 2);
  assert.deepEqual([a.heard.requests[0][0], b.heard.requests[0][0]], ['to itself', 'to another']);
});

test('data may be any JSON, large or absent', async (t) => {
  const [a, b] = await routers(t, 2);
  const values = [null, 0, '', [], 'x'.repeat(1024 * 1024), undefined, 'Zoë 🦄'];
  for (const value of values) await a.router.request({ host: HOST, port: b.port }, value);
  await until('all are there', () => b.heard.requests.length === values.length);
  assert.deepEqual(b.heard.requests.map(([data]) => data), values);
});

test('every call works in callback form', async (t) => {
  const router = new Router();
  atEnd(t, () => router.close());
  const { address, port } = await called((cb) => router.listen(HOST, cb));
  assert.equal(address, HOST);
  const request = once(router, 'request');
  await called((cb) => router.request({ host: HOST, port }, 'hello', cb));
  const [data, requesterId] = await request;
  assert.equal(data, 'hello');
  const response = once(router, 'response');
  await called((cb) => router.respond(requesterId, 'welcome', cb));
  assert.deepEqual(await response, ['welcome']);
});

test('it listens on all addresses by default', async (t) => {
  const router = new Router();
  atEnd(t, () => router.close());
  const listening = await router.listen();
  assert.equal(listening.address, '0.0.0.0');
  assert.ok(listening.port > 0);
});

test('IPv6 works', async (t) => {
  const router = new Router();
  atEnd(t, () => router.close());
  const { address, port } = await router.listen('::1');
  assert.equal(address, '::1');
  const request = once(router, 'request');
  await router.request({ host: '::1', port }, 'hello');
  assert.equal((await request)[0], 'hello');
});

test('an address that is none is refused', async (t) => {
  const [{ router, port }] = await routers(t, 1);
  const wrong = [null, undefined, 'here', [HOST, port], { host: 127, port }, { host: HOST, port: `${port}` }, { host: HOST, port: 0 }, { host: '', port }];
  for (const address of wrong) {
    for (const error of [await rejection(router.request(address, 1)), await rejection(called((cb) => router.request(address, 1, cb)))]) {
      assert.equal(error.code, 'DW_ERR_CONFIG');
      assert.match(error.message, /^Expected .+ for address(\.host|\.port)? but received /);
    }
  }
  for (const host of ['b.a.d.1', 5, {}]) assert.equal((await rejection(new Router().listen(host))).code, 'DW_ERR_CONFIG');
});

test('an address without a listener rejects as unreachable', async (t) => {
  const [{ router }] = await routers(t, 1);
  const error = await rejection(router.request({ host: HOST, port: await freePort() }, 1));
  assert.deepEqual([error.code, error.delivered], ['DW_ERR_UNREACHABLE', 'no']);
});

test('the end of a connection is reported to the side that opened it', async (t) => {
  const [a, b] = await routers(t, 2);
  await a.router.request({ host: HOST, port: b.port }, 1);
  await until('it is there', () => b.heard.requests.length === 1);
  b.router.close();
  await until('it is told', () => a.heard.disconnects.length === 1);
  assert.deepEqual(a.heard.disconnects, [{ host: HOST, port: b.port }]);
});

test('an idle connection is closed after socTimeout, and a later request opens a new one', async (t) => {
  const [a, b] = await routers(t, 2, { socTimeout: 100 });
  await a.router.request({ host: HOST, port: b.port }, 'first');
  await until('it is closed', () => a.heard.disconnects.length === 1);
  await a.router.request({ host: HOST, port: b.port }, 'second');
  await until('it is there', () => b.heard.requests.length === 2);
  assert.notEqual(b.heard.requests[0][1], b.heard.requests[1][1]);
});

test('an answer on a connection that has ended is a warning', async (t) => {
  const [{ router, heard }] = await routers(t, 1);
  router.respond(567, {});
  await until('it is told', () => heard.logs.some(({ level }) => level === 'warn'));
  assert.equal((await rejection(router.respond('x', 1))).code, 'DW_ERR_CONFIG');
});

test('what no router says closes its connection, and nothing else', async (t) => {
  const [a, b] = await routers(t, 2);
  for (const bytes of ['null', '{"m":"destroy"}', '\x00\x04null', 'GET / HTTP/1.1\r\n\r\n', 'x'.repeat(100000)]) {
    const socket = net.connect(b.port, HOST);
    socket.on('error', () => {}).resume();
    await once(socket, 'connect');
    socket.write(bytes);
    await once(socket, 'close');
  }
  await a.router.request({ host: HOST, port: b.port }, 'still here');
  await until('it is there', () => b.heard.requests.length === 1);
  assert.equal(b.heard.requests[0][0], 'still here');
});

test('close() may come twice, or first, and listen() may follow', async (t) => {
  const router = new Router();
  atEnd(t, () => router.close());
  router.close();
  await router.listen(HOST);
  router.close();
  router.close();
  const { port } = await router.listen(HOST);
  const request = once(router, 'request');
  await router.request({ host: HOST, port }, 'again');
  assert.equal((await request)[0], 'again');
});
