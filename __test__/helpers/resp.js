'use strict';

const { once } = require('node:events');
const net = require('node:net');

/** A connection to Redis that sends any bytes in commands, and reads no answer but that it has come. */
class RawRedis {
  static async connect(port) {
    const socket = net.connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new RawRedis(socket);
  }

  constructor(socket) {
    this.socket = socket;
    this.text = '';
    this.marks = 0;
    socket.on('data', (bytes) => {
      this.text += bytes.toString('latin1');
      socket.emit('text');
    });
  }

  /** One command: strings or Buffers. */
  write(...words) {
    this.socket.write(`*${words.length}\r\n`);
    for (const word of words) {
      const bytes = Buffer.isBuffer(word) ? word : Buffer.from(String(word));
      this.socket.write(`$${bytes.length}\r\n`);
      this.socket.write(bytes);
      this.socket.write('\r\n');
    }
  }

  /** All that was answered since the last time, once everything that was written is. */
  async answers() {
    this.marks += 1;
    const mark = `mark-${this.marks}\r\n`;
    this.write('ECHO', mark.trim());
    while (!this.text.endsWith(mark)) await once(this.socket, 'text');
    const { text } = this;
    this.text = '';
    return text;
  }

  close() {
    this.socket.destroy();
  }
}

module.exports = { RawRedis };
