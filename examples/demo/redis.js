'use strict';

/** The few Redis commands that the demo itself needs: is a server there, and away with what the demo left on it. */

const net = require('node:net');
const tls = require('node:tls');

const TIMEOUT_MS = 1500;

/** Reads one reply from text; `undefined` while it is incomplete. */
function parse(text, from = 0) {
  const end = text.indexOf('\r\n', from);
  if (end < 0) return undefined;
  const line = text.slice(from + 1, end);
  const next = end + 2;
  switch (text[from]) {
    case '+': case ':': return { value: line, next };
    case '-': return { value: new Error(line), next };
    case '$': {
      const length = Number(line);
      if (length < 0) return { value: null, next };
      return text.length < next + length + 2 ? undefined : { value: text.slice(next, next + length), next: next + length + 2 };
    }
    case '*': {
      const value = [];
      let at = next;
      for (let n = Number(line); n > 0; n -= 1) {
        const item = parse(text, at);
        if (!item) return undefined;
        value.push(item.value);
        at = item.next;
      }
      return { value, next: at };
    }
    default: throw new Error('this is no Redis server');
  }
}

/** Opens a connection to the server that a URL names, signed in; `command(...)` and `close()`. */
async function connect(url) {
  const { protocol, hostname, port, pathname, username, password, searchParams } = new URL(url);
  const unix = protocol === 'redis+unix:' || protocol === 'unix:';
  const target = unix ? { path: decodeURIComponent(pathname) } : { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 6379) };
  const socket = protocol === 'rediss:' ? tls.connect({ ...target, servername: hostname }) : net.connect(target);
  let received = '';
  let settle = null;
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error('it does not answer')));
  socket.setEncoding('latin1').on('data', (text) => {
    received += text;
    try {
      const reply = parse(received);
      if (!reply || !settle) return;
      received = received.slice(reply.next);
      settle(reply.value);
    } catch (error) {
      socket.destroy(error);
    }
  });
  const command = (...words) => new Promise((resolve, reject) => {
    socket.once('error', reject).once('close', () => reject(new Error('it closed the connection')));
    settle = (value) => {
      settle = null;
      socket.removeAllListeners('error').removeAllListeners('close');
      socket.on('error', () => {});
      if (value instanceof Error) reject(value);
      else resolve(value);
    };
    const bytes = (word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`;
    socket.write(`*${words.length}\r\n${words.map(bytes).join('')}`);
  });
  const db = unix ? searchParams.get('db') : pathname.slice(1);
  if (password) await command('AUTH', ...(username ? [decodeURIComponent(username)] : []), decodeURIComponent(password));
  if (db) await command('SELECT', db);
  return { command, close: () => socket.destroy() };
}

/** The version of the server that a URL names; rejects when there is none. */
async function serverVersion(url) {
  const { command, close } = await connect(url);
  try {
    const info = await command('INFO', 'server');
    return /valkey_version:(\S+)/.exec(info)?.[1].replace(/^/, 'Valkey ') || `Redis ${/redis_version:(\S+)/.exec(info)?.[1]}`;
  } finally {
    close();
  }
}

/** Deletes every key of a namespace. */
async function removeNamespace(url, ns) {
  const { command, close } = await connect(url);
  try {
    let cursor = '0';
    do {
      const [next, keys] = await command('SCAN', cursor, 'MATCH', `{${ns}}:*`, 'COUNT', '1000');
      if (keys.length) await command('DEL', ...keys);
      cursor = next;
    } while (cursor !== '0');
  } finally {
    close();
  }
}

module.exports = { removeNamespace, serverVersion };
