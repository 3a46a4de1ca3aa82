/** Worker classes as README and docs/ write them: without annotations, under the strictest settings. */

import { Broker, Worker } from 'dworker';

class Room extends Worker {
  static classname = 'Room';
  static clustername = 'games';
  static concurrency = 'serial';
  static maxQueue = 100;

  async onAsk(method: string, data: unknown) {
    return { method, data };
  }
}

class Lobby extends Room {
  static concurrency = 'parallel';
}

const broker = new Broker('a', { redis: 'memory://' });
broker.registerWorker(Room);
broker.registerWorker('Hall', Lobby, { clustername: 'main' });
// @ts-expect-error a number is no concurrency
broker.registerWorker(class extends Worker { static concurrency = 2; });
