/**
 * The client packages of the application, each behind the same few calls.
 */
'use strict';

const { once } = require('node:events');
const { promisify } = require('node:util');

/** redis 0.12 has no option for the database and no URL; `select()` waits for the connection there. */
const callback012 = {
  open: async (redis, { port, host, path, password, db }) => {
    const options = { auth_pass: password };
    const client = path ? redis.createClient(path, options) : redis.createClient(port, host, options);
    if (db !== undefined) client.select(db);
    return client;
  },
  ...callbackCalls(),
};

const callback = {
  open: async (redis, { url, ...options }) => (url ? redis.createClient(url) : redis.createClient({ ...options })),
  ...callbackCalls(),
};

function callbackCalls() {
  return {
    ready: async (client) => {
      if (!client.ready) await once(client, 'ready');
    },
    call: (client, name, ...args) => promisify(client.send_command).call(client, name, args),
    subscribe: async (client, channel, listener) => {
      client.on('message', (_, message) => listener(message));
      await promisify(client.subscribe).call(client, channel);
    },
    close: async (client) => client.end(true),
  };
}

const modern = {
  open: async (redis, { url, host, port, path, username, password, db }) => {
    const options = url ? { url } : { socket: path ? { path } : { host, port }, username, password, database: db };
    const client = redis.createClient(options);
    client.on('error', () => {});
    return client;
  },
  ready: (client) => client.connect(),
  call: (client, ...command) => client.sendCommand(command),
  subscribe: (client, channel, listener) => client.subscribe(channel, listener),
  close: async (client) => {
    if (client.isOpen) await (client.destroy ?? client.disconnect).call(client);
  },
};

const ioredis = {
  open: async (Redis, { url, ...options }) => (url ? new Redis(url) : new Redis(options)),
  ready: async (client) => {
    if (client.status !== 'ready') await once(client, 'ready');
  },
  call: (client, ...command) => client.call(...command),
  subscribe: async (client, channel, listener) => {
    client.on('message', (_, message) => listener(message));
    await client.subscribe(channel);
  },
  close: async (client) => client.disconnect(),
};

/** `urls`: takes a URL; `users`: knows user names. */
const PACKAGES = [
  { name: 'redis-0.12', ...callback012, urls: false, users: false },
  { name: 'redis-2', ...callback, urls: true, users: false },
  { name: 'redis-3', ...callback, urls: true, users: true, open: openWithUser },
  { name: 'redis-4', ...modern, urls: true, users: true },
  { name: 'redis-5', ...modern, urls: true, users: true },
  { name: 'redis-6', ...modern, urls: true, users: true },
  { name: 'ioredis-5', ...ioredis, urls: true, users: true },
  { name: 'ioredis-6', ...ioredis, urls: true, users: true },
];

/** redis 3 calls the user name `user`, and loses it where a URL is the first argument. */
async function openWithUser(redis, { url, username, ...options }) {
  return redis.createClient(url ? { url } : { ...options, user: username });
}

function load(name) {
  return require(name);
}

module.exports = { PACKAGES, load };
