/** Methods that are called by their names, and the promises of a broker, where no class is declared by its name. */

import { expectTypeOf } from 'expect-type';
import { Agent, Broker, Worker } from 'dworker';
import type { Answer, AgentOf, BrokerEvents, DworkerError, LogEvent, MethodName } from 'dworker';

interface Item {
  sku: string;
  n: number;
}

class Cart extends Worker<{ owner: string }> {
  static methods = ['add', 'total', 'rename', 'plain', 'stored', 'then', 'destroy', 'missing'] as const;
  stored = 5;
  async add(item: Item): Promise<number> {
    return item.n;
  }
  total() {
    expectTypeOf(this.broker.id).toEqualTypeOf<string>();
    expectTypeOf(this.attributes.owner).toEqualTypeOf<string>();
    return { sum: 1 };
  }
  async rename(_name?: string) {}
  plain(_data: string, _more?: number): string {
    return '';
  }
  then() {}
  secret() {}
}

class Everything extends Worker {
  static methods = true;
  open() {
    return 1;
  }
  once() {}
  _hidden() {}
  onSale() {}
  private own() {
    return 1;
  }
  use() {
    return this.own();
  }
}

expectTypeOf<MethodName<typeof Cart>>().toEqualTypeOf<'add' | 'total' | 'rename' | 'plain'>();
expectTypeOf<MethodName<typeof Everything>>().toEqualTypeOf<'open' | 'once' | 'use'>();

async function calls(broker: Broker) {
  const cart = await broker.createWorker<AgentOf<typeof Cart>>('Cart', { attributes: { owner: 'Ann' } });
  expectTypeOf(cart.call.add({ sku: 'tea', n: 2 })).toEqualTypeOf<Answer<number>>();
  expectTypeOf(cart.call.total()).toEqualTypeOf<Answer<{ sum: number }>>();
  expectTypeOf(cart.send.add({ sku: 'tea', n: 2 })).toEqualTypeOf<Answer<void>>();
  cart.call.add({ sku: 'tea', n: 2 }, (error, n) => expectTypeOf([error, n]).toEqualTypeOf<any[]>());
  cart.call.total(undefined, (_error, total) => expectTypeOf(total).toEqualTypeOf<{ sum: number } | undefined>());
  cart.call.rename();
  cart.call.rename('mine');
  expectTypeOf(await cart.call.plain('data')).toEqualTypeOf<string>();
  expectTypeOf(await cart.with({ timeout: 500, signal: AbortSignal.timeout(9) }).call.total()).toEqualTypeOf<{ sum: number }>();
  // @ts-expect-error a misspelt method
  cart.call.ad({ sku: 'tea', n: 2 });
  // @ts-expect-error a misspelt method
  cart.send.ad({ sku: 'tea', n: 2 });
  // @ts-expect-error not declared
  cart.call.secret();
  // @ts-expect-error inherited
  cart.call.destroy();
  // @ts-expect-error declared, but no method of the class
  cart.call.missing();
  // @ts-expect-error no function
  cart.call.stored();
  // @ts-expect-error never a method
  void cart.call.then;
  // @ts-expect-error data of another type
  cart.call.add({ sku: 'tea', n: '2' });
  // @ts-expect-error data is missing
  cart.call.add();
  // @ts-expect-error the data is one value
  cart.call.plain('data', 1);
  // @ts-expect-error no such option
  cart.with({ timeOut: 500 });
  // @ts-expect-error the methods of an agent are fixed
  cart.call = {};

  const everything = await broker.createWorker<AgentOf<typeof Everything>>('Everything');
  expectTypeOf(everything.call.open()).toEqualTypeOf<Answer<number>>();
  // @ts-expect-error private
  everything.call.own();
  // @ts-expect-error hidden
  everything.call._hidden();

  const typed = new Agent<typeof Cart>('c', broker);
  expectTypeOf(await typed.call.plain('data')).toEqualTypeOf<string>();
  const anything = await broker.createWorker('Anything');
  expectTypeOf(await anything.call.whatever!(1)).toEqualTypeOf<any>();
  expectTypeOf(anything.send.whatever!(1)).toEqualTypeOf<Answer<void>>();
}

async function promises() {
  const native = new Broker('a', { promise: 'native' });
  expectTypeOf(native).toEqualTypeOf<Broker<'native'>>();
  expectTypeOf(native.start()).toEqualTypeOf<Promise<void>>();
  expectTypeOf(native.destroy()).toEqualTypeOf<Promise<void>>();
  // @ts-expect-error a method of bluebird
  native.start().done();
  const agent = await native.createWorker('Any');
  expectTypeOf(agent.ask<number>('m')).toEqualTypeOf<Promise<number>>();
  expectTypeOf(agent.call.m!()).toEqualTypeOf<Promise<any>>();
  // @ts-expect-error a method of bluebird
  agent.tell('m').tap(() => {});
  // @ts-expect-error a method of bluebird
  agent.call.m!().delay(1);
  // @ts-expect-error a method of bluebird
  native.findWorker('Any').nodeify();
  // @ts-expect-error a method of bluebird
  new Broker('a', { promise: Promise }).start().done();

  new Broker('a').start().done();
  new Broker('a', { promise: 'bluebird' }).start().tap(() => {});
  new Broker('a', { rpcTimeout: 5 }).restart().delay(1);
  new Agent('w', native);
  const general: Broker<any> = native;
  expectTypeOf(general.start()).toEqualTypeOf<Promise<void>>();
  // @ts-expect-error its promises are native ones
  const bluebird: Broker = native;
  return bluebird;
}

async function scopes() {
  await using broker = await Broker.start('a', { redis: 'memory://', promise: 'native' });
  expectTypeOf(broker).toEqualTypeOf<Broker<'native'>>();
  expectTypeOf(Broker.start('b')).toEqualTypeOf<Answer<Broker>>();
  Broker.start('b', { redis: 'memory://' }, (error, started) => [error, started]);
  Broker.start('b', (error, started) => [error, started?.id]);
}

function events(broker: Broker) {
  broker.on('log', (event) => expectTypeOf(event).toEqualTypeOf<LogEvent>());
  broker.off('log', (event) => expectTypeOf(event).toEqualTypeOf<LogEvent>());
  broker.addListener('error', (error) => expectTypeOf(error).toEqualTypeOf<DworkerError>());
  broker.prependListener('brokerDead', (id) => expectTypeOf(id).toEqualTypeOf<string>());
  broker.once('newListener', (name) => expectTypeOf(name).toEqualTypeOf<string | symbol>());
  expectTypeOf<keyof BrokerEvents>().extract<'log' | 'logs'>().toEqualTypeOf<'log'>();
  // @ts-expect-error a misspelt event
  broker.on('logs', () => {});
  // @ts-expect-error an argument of another type
  broker.on('brokerDead', (id: number) => id);
  // @ts-expect-error an argument of another type
  broker.off('log', (text: string) => text);
}

class OwnSave extends Worker {
  static methods = true as const;
  override save(file: string) {
    return file.length;
  }
}

function ownSave(broker: Broker) {
  const { call } = broker.get(OwnSave, 'x');
  expectTypeOf(call.save('file')).toEqualTypeOf<Answer<number>>();
  // @ts-expect-error the one of Worker
  call.touch();
}

class Old extends Worker {
  // Written before there were methods: the statics and properties are its own.
  static methods = { get: 1 };
  static input = 'mine';
  override broker: Broker;
  constructor(id: string, broker: Broker, attributes: unknown) {
    super(id, broker, attributes);
    this.broker = broker;
  }
}

function old(broker: Broker) {
  broker.registerWorker(Old);
  broker.registerWorker(Cart);
  broker.registerWorker(Everything);
}

void [calls, promises, scopes, events, ownSave, old];
