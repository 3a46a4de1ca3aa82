/** An application that declares its worker classes by their names. */

import { expectTypeOf } from 'expect-type';
import { Agent, Broker, Worker } from 'dworker';
import type { Answer, AgentOf } from 'dworker';

class Cart extends Worker<{ owner: string; guests?: number }> {
  static methods = ['add'] as const;
  async add(sku: string) {
    return sku.length;
  }
}

class RoomAgent extends Agent<any, 'native'> {
  enter(name: string) {
    return this.ask<number>('enter', { name });
  }
}

class Room extends Worker {
  static agent = RoomAgent;
}

class Hall extends Worker {
  static agent = RoomAgent;
  static methods = ['open'] as const;
  open() {}
}

declare module 'dworker' {
  interface WorkerClasses {
    Cart: typeof Cart;
    Room: typeof Room;
    Hall: typeof Hall;
  }
}

async function names() {
  const broker = new Broker('a', { promise: 'native' });
  const cart = await broker.createWorker('Cart', { id: 'c', attributes: { owner: 'Ann', recoverable: true } });
  expectTypeOf(cart).toEqualTypeOf<Agent<typeof Cart, 'native'>>();
  expectTypeOf(cart.call.add('tea')).toEqualTypeOf<Promise<number>>();
  broker.createWorker('Cart', (_error, agent) => agent?.call.add('tea'));
  broker.createWorker('Cart', { attributes: { owner: 'Ann', guests: 2 } }, (_error, agent) => agent?.call.add('tea'));
  // @ts-expect-error an unknown class
  broker.createWorker('Crat');
  // @ts-expect-error a misspelt attribute
  broker.createWorker('Cart', { attributes: { owner: 'Ann', gests: 2 } });
  // @ts-expect-error an attribute is missing
  broker.createWorker('Cart', { attributes: { guests: 2 } });
  // @ts-expect-error an attribute of another type
  broker.createWorker('Cart', { attributes: { owner: 1 } });
  // @ts-expect-error a misspelt option
  broker.createWorker('Cart', { attribute: { owner: 'Ann' } });
  // @ts-expect-error an unknown method
  cart.call.ad('tea');

  const room = await broker.createWorker('Room', { attributes: { anything: 1 } });
  expectTypeOf(room).toEqualTypeOf<RoomAgent>();
  expectTypeOf(await room.enter('Ann')).toEqualTypeOf<number>();
  const hall = await broker.createWorker('Hall');
  expectTypeOf(await hall.enter('Ann')).toEqualTypeOf<number>();
  hall.call.open();
  // @ts-expect-error an unknown method
  hall.call.close();

  const found = await broker.findWorker<AgentOf<typeof Cart, 'native'>>('c');
  expectTypeOf(found?.call.add('tea')).toEqualTypeOf<Promise<number> | undefined>();
  expectTypeOf(new Broker('b').createWorker('Cart')).toEqualTypeOf<Answer<Agent<typeof Cart>>>();
}

void names;
