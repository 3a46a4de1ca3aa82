/** The whole public face as a TypeScript user writes it; `npm run test:types` compiles it and runs nothing. */

import { expectTypeOf } from 'expect-type';
import { Agent, Broker, Router, Worker } from 'dworker';
import type { Answer, BrokerOptions, CreateInfo, DataDeclaration, Delivered, DestroyInfo, Duration, DworkerError, KeepAwake, LogEvent, WorkerErrorEvent } from 'dworker';

interface Seats {
  seats: number[];
}

class RoomAgent extends Agent {
  enter(name: string) {
    return this.ask<number>('enter', { name });
  }
}

class Room extends Worker<Seats> {
  static classname = 'Room';
  static clustername = 'games';
  static agent = RoomAgent;

  async onCreate(info: CreateInfo) {
    expectTypeOf(info.cause).toEqualTypeOf<0 | 1 | 2 | 3>();
    expectTypeOf(info.afterWipe).toEqualTypeOf<boolean>();
    expectTypeOf(this.attributes.seats).toEqualTypeOf<number[]>();
    expectTypeOf(this.attributes.static).toEqualTypeOf<boolean>();
    expectTypeOf(this.epoch).toEqualTypeOf<string>();
    this.load = 3;
  }

  onAsk(method: string, data: { name: string }) {
    return method === 'enter' ? data.name.length : undefined;
  }

  onTell(_method: string, _data: unknown) {
    this.destroy({ noRecover: false });
  }

  onDestroy(info: DestroyInfo, callback: () => void) {
    expectTypeOf(info.cause).toEqualTypeOf<0 | 1 | 2 | 3 | 4>();
    callback();
  }
}

class Serial extends Worker {
  static concurrency = 'serial' as const;
  static maxQueue = 10;
}

class Sleeper extends Worker {
  static idle: Duration = '10m';

  async onAsk() {
    using awake = this.keepAwake();
    expectTypeOf(awake).toEqualTypeOf<KeepAwake>();
    this.keepAwake().release();
  }
}

class OwnIdle extends Worker {
  static idle = false;
}

// @ts-expect-error a duration has a unit
const noDuration: Duration = '10';

class Cart extends Worker<any, { items: string[] }> {
  static data: DataDeclaration<{ items: string[] }> = {
    version: 2,
    initial: () => ({ items: [] }),
    migrate: (data, from) => ({ items: from === 1 ? [data] : data.items }),
    save: 'behind',
    flush: 20,
    mutable: true,
    maxBytes: 1000,
  };

  async onAsk(_method: string, item: string) {
    expectTypeOf(this.data.items).toEqualTypeOf<string[]>();
    this.data = { items: [...this.data.items, item] };
    // @ts-expect-error a value of another shape
    this.data = { items: 1 };
    this.touch();
    await this.save();
  }
}

class OwnData extends Worker {
  // Written before workers had data: the members are its own.
  static data = 'mine';
  override data = 7;
  override save(file: string) {
    return file.length + this.data;
  }
  override touch() {
    return true;
  }
}

async function brokers() {
  const options: BrokerOptions = {
    ns: 'app',
    redis: { host: 'localhost', port: 6380, password: 'secret', db: 1 },
    rpcTimeout: 1000,
    retries: { duration: 500 },
    brokerCache: { max: 10, maxAge: 100 },
    listen: { host: '::1' },
    advertise: { host: 'example.org', port: 7000 },
    promise: 'native',
    sockets: 'task',
    tls: { key: 'pem', cert: Buffer.from('pem'), ca: 'pem' },
    secret: ['a new secret of 16 characters', 'an old one'],
  };
  const broker = new Broker('a', options);
  new Broker('b', { redis: 'memory://', promise: Promise });
  new Broker('b', { redis: { url: 'rediss://h', tls: { ca: ['PEM', Buffer.from('PEM')], cert: 'PEM', key: 'PEM', servername: 'h' }, cluster: true } });
  new Broker('b', { redis: { sentinels: [{ host: 'a' }, { host: 'b', port: 1 }], name: 'm', sentinelPassword: 's', tls: true, sentinelTls: false } });
  new Broker('c').setSecret('a new secret of 16 characters');
  broker.setSecureContext({ key: 'pem', cert: 'pem', ca: 'pem' });
  // @ts-expect-error there are two ways alone
  new Broker('d', { sockets: 'poll' });
  // @ts-expect-error an id is needed
  new Broker();
  // @ts-expect-error an id is a string
  new Broker(1);
  // @ts-expect-error no such promises
  new Broker('d', { promise: 'q' });

  expectTypeOf(broker.id).toEqualTypeOf<string>();
  expectTypeOf(broker.state).toEqualTypeOf<0 | 1 | 2 | 3 | 4>();
  expectTypeOf(broker.load).toEqualTypeOf<number>();
  expectTypeOf(broker.redisTime).toEqualTypeOf<number>();
  // @ts-expect-error read-only
  broker.load = 1;
  expectTypeOf(Broker.State.ACTIVE).toEqualTypeOf<2>();

  broker.registerWorker(Room);
  broker.registerWorker('Lobby', Room, { clustername: 'main' });
  // @ts-expect-error no subclass of Worker
  broker.registerWorker(Date);
  broker.setWorkerRegistry({ add() {}, get: () => Room });

  broker.on('state', (from, to) => expectTypeOf([from, to]).toEqualTypeOf<(0 | 1 | 2 | 3 | 4)[]>());
  broker.on('log', (event) => expectTypeOf(event).toEqualTypeOf<LogEvent>());
  broker.once('workerError', (event) => expectTypeOf(event).toEqualTypeOf<WorkerErrorEvent>());
  broker.on('brokerDead', (brokerId) => expectTypeOf(brokerId).toEqualTypeOf<string>());
  broker.once('workerLost', ({ id, reason }) => expectTypeOf([id, reason]).toEqualTypeOf<string[]>());
  broker.on('ready', (ready) => expectTypeOf(ready).toEqualTypeOf<boolean>());
  expectTypeOf(broker.ready).toEqualTypeOf<boolean>();
  broker.on('suspended', () => {}).once('resumed', () => {});

  expectTypeOf(broker.start()).toEqualTypeOf<Answer<void>>();
  broker.start((error) => error);
  broker.start().then(() => 1).tap((one) => expectTypeOf(one).toEqualTypeOf<number>()).done();

  const agent = await broker.createWorker('Room');
  expectTypeOf(agent).toEqualTypeOf<Agent>();
  const own = await broker.createWorker<RoomAgent>('Room', { id: 'r', attributes: { recoverable: true, seats: [] } });
  expectTypeOf(await own.enter('Ann')).toEqualTypeOf<number>();
  broker.createWorker('Room', { static: true }, (error, found) => {
    if (!error) expectTypeOf(found).toEqualTypeOf<Agent | undefined>();
  });
  // @ts-expect-error an id is a string
  broker.createWorker('Room', { id: 1 });
  expectTypeOf(await broker.findWorker('r')).toEqualTypeOf<Agent | null>();

  expectTypeOf(await agent.ask<string>('name')).toEqualTypeOf<string>();
  expectTypeOf(agent.tell('say', 'hello')).toEqualTypeOf<Answer<void>>();
  agent.ask('name', null, (error, value) => [error, value]);
  expectTypeOf(agent.ask<string>('name', null, { timeout: 50, signal: AbortSignal.timeout(9) })).toEqualTypeOf<Answer<string>>();
  agent.ask('name', null, { timeout: 50 }, (error, value) => [error, value]);
  // @ts-expect-error a timeout is a number
  agent.ask('name', null, { timeout: '50' });
  const context = Worker.context();
  if (context) expectTypeOf(context.signal).toEqualTypeOf<AbortSignal>();
  expectTypeOf(context?.deadline).toEqualTypeOf<number | undefined>();
  expectTypeOf(Serial.concurrency).toEqualTypeOf<'serial'>();
  expectTypeOf(Sleeper.idle).toEqualTypeOf<Duration>();
  expectTypeOf(OwnIdle.idle).toEqualTypeOf<boolean>();
  try {
    await new Agent('r', broker).ask('name');
  } catch (error) {
    const { code, delivered } = error as DworkerError;
    expectTypeOf(delivered).toEqualTypeOf<Delivered>();
    if (code === 'DW_ERR_TIMEOUT') throw error;
  }

  await broker.destroy({ noRecover: true });
  await broker.restart();
  broker.restartAll();
  expectTypeOf(broker.release('id')).resolves.toEqualTypeOf<boolean>();
  broker.quit();
}

async function router() {
  const bare = new Router({ socTimeout: 1000 });
  const { address, port } = await bare.listen('127.0.0.1');
  await bare.request({ host: address, port }, { any: 'thing' });
  bare.on('request', (data, requesterId) => bare.respond(requesterId, data));
  bare.on('disconnect', ({ host, port: at }) => expectTypeOf([host, at]).toEqualTypeOf<(string | number)[]>());
  bare.close();
}

void [brokers, router, Cart, OwnData];
