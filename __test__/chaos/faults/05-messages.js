'use strict';

/**
 * Pub/sub messages are lost, or say too much.
 */

const { sleep, until } = require('../../../support/wait');
const { Proxy } = require('../tools/proxy');

const RATE = 100;
const KILL_EVERY_MS = 40;
/** A message of pub/sub, in RESP2 and RESP3; all of ours are short and without line breaks. */
const MESSAGE = /[*>]3\r\n\$7\r\nmessage\r\n\$\d+\r\n[^\r]*\r\n\$\d+\r\n[^\r]*\r\n/g;

/** The system loses a broker while `spoil` goes on; everything must come right by scanning alone. */
function variant(spoil, limit) {
  return async (world, figures) => {
    await world.redis();
    const { option = {}, begin = () => {}, stop } = await spoil(world);
    world.undo.push(stop);
    await world.system({ brokers: 3, recoverable: 200, others: 40, option });
    await begin();
    await world.load(RATE);
    await sleep(1000 + world.random.below(500));
    const victim = world.brokers[1];
    const ids = world.observer.of(victim.name).filter((id) => id.startsWith('r'));
    const killed = world.heal();
    await victim.kill();
    const back = () => world.observer.since(killed, 'activate', ({ cause }) => cause === 1);
    await until('the workers are active again', () => new Set(back().map(({ id }) => id)).size >= ids.length, limit + 4000).catch(() => {});
    const times = back().map(({ t }) => t - killed);
    figures.note('workers', ids.length);
    figures.most('all back', new Set(back().map(({ id }) => id)).size < ids.length ? Infinity : Math.max(...times), limit, 'ms');
    const fresh = Array.from({ length: 30 }, (_, n) => `rf${n}`);
    const failures = await world.brokers[0].run('create', { ids: fresh, recoverable: true, timeout: 5000 });
    world.ids.push(...fresh);
    figures.note('creations tried again', Object.values(failures).reduce((sum, n) => sum + n, 0));
    await sleep(1500);
    figures.most('evictions', world.evictions(killed), 1);
    return { within: limit };
  };
}

module.exports = {
  number: 5,
  title: 'pub/sub: all connections killed; a monitor listens to everything; every message dropped',
  target: 'correct by scan alone',
  short: ['killed', 'monitor', 'dropped'],
  variants: {
    killed: variant((world) => {
      const client = world.server.client();
      client.on('error', () => {});
      let timer;
      return {
        begin() {
          timer = setInterval(() => client.client('KILL', 'TYPE', 'pubsub').catch(() => {}), KILL_EVERY_MS);
        },
        stop() {
          clearInterval(timer);
          client.disconnect();
        },
      };
    }, 7500),

    monitor: variant(async (world) => {
      const client = world.server.client();
      client.on('error', () => {});
      await client.psubscribe('*');
      return { stop: () => client.disconnect() };
    }, 2000),

    dropped: variant(async (world) => {
      const proxy = await new Proxy(world.server.port).listen();
      proxy.filter = (piece, direction) => (direction === 'up' || !piece.includes('message\r\n') ? piece
        : Buffer.from(piece.toString('latin1').replace(MESSAGE, ''), 'latin1'));
      return { option: { redis: `redis://127.0.0.1:${proxy.port}` }, stop: () => proxy.close() };
    }, 7500),
  },
};
