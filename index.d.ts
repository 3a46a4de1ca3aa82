/// <reference types="node" />
import { KeyObject } from 'node:crypto';
import { EventEmitter } from 'node:events';

/**
 * What asynchronous calls return. With `option.promise = 'bluebird'` (the default) it is a bluebird promise; only the
 * most used of its methods are named here. With `'native'` it is a plain `Promise`.
 */
export interface Answer<T> extends Promise<T> {
  then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: any) => B | PromiseLike<B>) | null
  ): Answer<A | B>;
  catch<B = never>(onRejected?: ((reason: any) => B | PromiseLike<B>) | null): Answer<T | B>;
  finally(onFinally?: (() => void) | null): Answer<T>;
  /** Bluebird only: as `then`, but an error ends the process. */
  done(onFulfilled?: (value: T) => any, onRejected?: (reason: any) => any): void;
  /** Bluebird only. */
  nodeify(callback?: Callback<T>): this;
  /** Bluebird only. */
  asCallback(callback?: Callback<T>): this;
  /** Bluebird only. */
  tap(onFulfilled: (value: T) => any): Answer<T>;
  /** Bluebird only. */
  delay(ms: number): Answer<T>;
  /** Bluebird only. */
  timeout(ms: number, message?: string): Answer<T>;
}

/** What a call returns: `P` is `option.promise` of its broker. */
export type Promised<T, P = 'bluebird'> = [P] extends ['native' | PromiseConstructor] ? Promise<T> : Answer<T>;

/** How a broker's promises are named where it hands them on. */
export type PromiseKind<P> = [P] extends ['native' | PromiseConstructor] ? 'native' : 'bluebird';

/** Node-style: `callback(error)` or `callback(null, value)`. */
export type Callback<T> = (error: any, value?: T) => void;

/** Whether the receiver may have run the work. Only after `'no'` it is safe to send again what must not run twice. */
export type Delivered = 'no' | 'unknown' | 'yes';

/** Codes of the errors that this package makes. A handler's own `code` is kept instead of `DW_ERR_REJECTED`. */
export type ErrorCode =
  /** The handler failed. Delivered: yes. */
  | 'DW_ERR_REJECTED'
  /** No answer in time. Delivered: unknown. */
  | 'DW_ERR_TIMEOUT'
  /** The connection broke with the call in flight, or the worker ended or moved while it handled it. Delivered: unknown. */
  | 'DW_ERR_PEER_LOST'
  /** The caller's signal aborted the call. Delivered: no or unknown. */
  | 'DW_ERR_ABORTED'
  /** No worker has this id. */
  | 'DW_ERR_WORKER_NOT_FOUND'
  /** No live broker of the cluster hosts the class. */
  | 'DW_ERR_NO_BROKER'
  /** The class is not registered at this broker. */
  | 'DW_ERR_CLASS_UNKNOWN'
  /** The worker's broker cannot be reached. */
  | 'DW_ERR_UNREACHABLE'
  /** The broker cannot prove that it lives. */
  | 'DW_ERR_SUSPENDED'
  /** A bounded queue is full. */
  | 'DW_ERR_OVERLOADED'
  /** The message or the attributes are over the limit. */
  | 'DW_ERR_TOO_LARGE'
  /** Not allowed in this state of the broker. */
  | 'DW_ERR_STATE'
  /** A wrong argument or option: "Expected … for … but received …". */
  | 'DW_ERR_CONFIG'
  /** Redis cannot be reached, or refused. */
  | 'DW_ERR_REDIS'
  /** A live broker has this id. */
  | 'DW_ERR_BROKER_ID_IN_USE'
  /** Another process listens on `listen.port`, and did not leave within 6 s. */
  | 'DW_ERR_ADDRESS_IN_USE'
  /** The namespace is in use by another version. */
  | 'DW_ERR_SCHEMA'
  /** The call would wait for itself. */
  | 'DW_ERR_CYCLE'
  /** The peer could not prove that it belongs here. */
  | 'DW_ERR_UNAUTHORIZED'
  | 'DW_ERR_CLASS_MISMATCH'
  /** The worker ended its process again and again, and is held back until `broker.release()`. */
  | 'DW_ERR_QUARANTINED'
  /** The constructor or the `onCreate` of a worker that is made by messages failed; its error is the `cause`. */
  | 'DW_ERR_ACTIVATION';

/**
 * The shape of what calls reject with. Where a handler failed, its `name`, `message`, `code` and own properties that
 * JSON can express are kept, and `delivered` is `'yes'`; an error of this package that it let through is the `cause`.
 */
export interface DworkerError extends Error {
  code: ErrorCode | (string & {});
  delivered: Delivered;
  cause?: unknown;
  /** The stack of the handler that failed, as its own process wrote it, unless `option.remoteStack` of its broker is `false`. `stack` ends with it. */
  remoteStack?: string;
  [property: string]: unknown;
}

/** As for `tls.connect`; PEM. Without `ca` the certificates are trusted that Node trusts. */
export interface RedisTlsOptions {
  ca?: string | Uint8Array | (string | Uint8Array)[];
  cert?: string | Uint8Array | (string | Uint8Array)[];
  key?: string | Uint8Array | KeyObject;
  passphrase?: string;
  /** The name in the server's certificate, where it is not the host. */
  servername?: string;
  /** `false`: the server's certificate is not checked. Default: `true`. */
  rejectUnauthorized?: boolean;
}

/** An unknown field is an error: the broker would connect to the wrong server. */
export interface RedisOptions {
  /** `redis[s]://`, `redis[s]-sentinel://`, `redis+unix://` (or `valkey…`), or `memory://`; instead of `host`, `port`, `path`, `nodes` and `sentinels`. */
  url?: string | URL | null;
  /** Default: `'127.0.0.1'`. */
  host?: string | null;
  /** Default: 6379. */
  port?: number | string | null;
  /** A Unix socket. */
  path?: string | null;
  username?: string | null;
  password?: string | null;
  db?: number | string | null;
  /** Nodes of a Redis Cluster, instead of `host` and `port`. The default port is 6379. */
  nodes?: { host: string; port?: number | string | null }[] | null;
  /** TLS to the server. `false`, with sentinels too: none. */
  tls?: boolean | RedisTlsOptions | null;
  /** The sentinels that name the master, all of them. The default port is 26379. */
  sentinels?: { host: string; port?: number | string | null }[] | null;
  /** What the sentinels call the master. */
  name?: string | null;
  /** The account on the sentinels; `username` and `password` are the one on Redis. */
  sentinelUsername?: string | null;
  sentinelPassword?: string | null;
  /** TLS to the sentinels. Default: as `tls`. */
  sentinelTls?: boolean | RedisTlsOptions | null;
  /** Says that the server is a node of a Redis Cluster, and so checks that `db` is 0. Redirects are followed without it. */
  cluster?: boolean | null;
  /** A client object of the application (`redis` 0.12 to 6, `ioredis` 5, 6): its address and account are taken over. */
  pub?: object | null;
  /** As `pub`. `quit()` of the broker also quits both. */
  sub?: object | null;
}

export interface Address {
  host?: string | null;
  port?: number | string | null;
}

export interface BrokerOptions {
  /** Namespace of all Redis keys and channels. Default: `'dw'`. */
  ns?: string;
  /** The cluster that this broker belongs to. Default: `'main'`. */
  clustername?: string;
  /**
   * Where the system's state lives: a URL (`redis[s]://`, `redis[s]-sentinel://`, `redis+unix://`, `memory://`) or an object. Absent: the
   * environment's `DWORKER_REDIS_URL`, else `127.0.0.1:6379`.
   */
  redis?: string | URL | RedisOptions | null;
  /** An ask ends by then, counted from the call; ms. Default: 3000. */
  rpcTimeout?: number;
  /** A worker older than this is not recovered; ms, 0: no limit. Default: 0. */
  ttl?: number;
  /** Cache of worker id → broker; `maxAge` in ms. Default: 1000, 30000. */
  brokerCache?: { max?: number; maxAge?: number };
  /** Backoff of what was not delivered; ms. Default: 40, 800, 2000. */
  retries?: { initialInterval?: number; maxInterval?: number; duration?: number };
  /** An idle connection between brokers is closed after this; ms. Default: 15000. */
  socTimeout?: number;
  /** How many other brokers this one may be connected to at once; beyond it new ones are refused with `DW_ERR_OVERLOADED`. Default: 4096. */
  maxPeers?: number;
  /**
   * Which threads serve the sockets that carry messages: Node's own event loop, which answers a single call soonest, or threads
   * of dworker. Default: the environment's `DWORKER_SOCKETS`, else `'loop'`; `'task'` where the runtime is not Node.
   */
  sockets?: 'loop' | 'task';
  /** Whether brokers of one Linux host reach each other over a Unix socket; `true` by default. */
  localSockets?: boolean;
  /** Whether errors of asks carry the stack of the handler on this broker that failed; `true` by default. */
  remoteStack?: boolean;
  /** How the data of messages and the answers of workers are encoded, unless the class has a `codec` of its own. Default: `'json'`. */
  codec?: Codec;
  /** How often a broker looks for dead ones; **seconds**, 0: never. Default: 1. */
  healthCheckInterval?: number;
  /** Without effect; accepted because the original took it. */
  batchReadSize?: number;
  /**
   * Where to listen for other brokers. Default: the local address of the Redis connection, a free port. `start()` waits
   * up to 6 s for a port that another process still listens on.
   */
  listen?: Address | null;
  /** The address that other brokers connect to. Default: the address listened on. */
  advertise?: Address | null;
  /**
   * How long a broker owns its workers without word from Redis, and how often it says so; ms. Default: 5000, 500.
   * `strict`: no broker is treated as dead before its lease has run out, not even where its death looks certain. Default: false.
   */
  lease?: { ttl?: number; renew?: number; strict?: boolean };
  /**
   * While Redis does not answer and the lease may have run out: workers get no messages, or they go on at the risk that they
   * were created again elsewhere. Default: `'suspend'`.
   */
  onRedisLoss?: 'suspend' | 'serve';
  /**
   * An event loop that has stood still for `after` ms (at least 2000) is reported in `'log'` as soon as it moves, or ends the
   * process. Default: 30000, `'report'`.
   */
  stall?: { after?: number; action?: 'report' | 'abort' };
  /** Limit of one message. Default: 16 MiB. */
  maxMessageBytes?: number;
  /** How long `destroy()`, of a broker or of a worker, waits for `onDestroy`; ms. Default: 5000. */
  destroyTimeout?: number;
  /** What brokers prove to each other that they belong together, 16 to 1024 characters; `[new, old]` to rotate. Default: `DWORKER_SECRET`, else the namespace's own. */
  secret?: string | [string] | [string, string] | null;
  /** Mutual TLS 1.3 between brokers. Default: none. */
  tls?: TlsOptions | null;
  /**
   * A listener of `'log'` from the first moment on, or a logger that gets lines with fields, as those of Pino. Without any listener, mistakes such as a misspelt option or a failing tell are
   * reported once each by `process.emitWarning()`; `false` turns that off.
   */
  log?: false | Logger | ((event: LogEvent) => void);
  /** What calls return. Default: `'bluebird'`. */
  promise?: 'bluebird' | 'native' | PromiseConstructorLike;
}

/** PEM. */
export interface TlsOptions {
  /** Private key, not encrypted. */
  key: string | Buffer;
  /** Its certificate, with the intermediate ones after it. */
  cert: string | Buffer;
  /** Authorities of the peers' certificates; several while one is replaced. */
  ca: string | Buffer;
}

export interface RegisterOptions {
  /** The cluster that workers of this class live in. Default: what the class has, else `'main'`. */
  clustername?: string;
}

export interface CreateOptions<Attributes = { recoverable?: boolean; [name: string]: any }> {
  /** At most 512 bytes. Default: the class name for a static worker, else `Name#n`. */
  id?: string | null;
  /** One worker of this class in the whole system, whose id is the class name. */
  static?: boolean;
  /** Given to the worker; at most 64 KiB of JSON. `recoverable` makes it come back when its broker is lost or leaves. */
  attributes?: Attributes | null;
}

export interface GetOptions<Attributes = { recoverable?: boolean; [name: string]: any }> {
  /** What the worker is made with, if a message of this agent makes it; at most 64 KiB of JSON. */
  attributes?: Attributes | null;
  /** Of the class, where that is not registered at this broker. */
  clustername?: string;
}

export interface AskOptions {
  /** ms, instead of `rpcTimeout`. */
  timeout?: number;
  /** Ends the ask with `DW_ERR_ABORTED`. */
  signal?: AbortSignal;
}

export interface DestroyOptions {
  /** Of a broker: `true` hands no worker over. Of a worker: `false` makes it again somewhere in its cluster. */
  noRecover?: boolean;
}

/** A worker that is not recovered: its constructor threw, and it is gone; or it ended its process again and again, and is quarantined. */
export interface WorkerLostEvent {
  /** Of the worker. */
  id: string;
  /** Why. */
  reason: string;
}

/** A logger of the application, as those of Pino: each function takes the fields of a line and its message. */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}

/** Which fields a line has depends on what it is about. */
export interface LogFields {
  /** The id of the broker that writes the line. */
  broker: string;
  /** What happened, where it is one of these; a line of another kind says it in its message alone. */
  event?: 'state' | 'suspended' | 'resumed' | 'ready' | 'brokerDead' | 'workerLost' | 'activated' | 'ended';
  /** The id of another broker. */
  peer?: string;
  /** The id of a worker. */
  worker?: string;
  class?: string;
  epoch?: string;
  /** Of the worker: a message's, or `'constructor'`, `'onCreate'`, `'onDestroy'`. */
  method?: string;
  err?: unknown;
  [field: string]: unknown;
}

/** A message of the `diagnostics_channel` named `dworker:rpc`. */
export interface RpcMessage {
  /** A call of an agent of this process has settled, or a handler of a worker of this process has. */
  type: 'ask' | 'tell' | 'handledAsk' | 'handledTell';
  broker: string;
  worker: string;
  method: string;
  /** ms; of a tell until it was handed to the transport. */
  duration: number;
  /** What it failed with. */
  error: unknown;
  /** Of a handler. */
  class?: string;
  /** Of a handler. */
  epoch?: string;
}

/** A message of the `diagnostics_channel` named `dworker:placement`. */
export type PlacementMessage =
  | { type: 'activated'; broker: string; worker: string; class: string; epoch: string; cause: CreateInfo['cause'] }
  | { type: 'ended'; broker: string; worker: string; class: string; epoch: string; cause: DestroyInfo['cause'] }
  /** The constructor threw, or the class is not registered. */
  | { type: 'failed'; broker: string; worker: string; class: string; error: unknown }
  | { type: 'lost'; broker: string; worker: string; reason: string }
  | { type: 'brokerDead'; broker: string; peer: string };

export interface LogEvent {
  id: string;
  level: 'debug' | 'info' | 'warn' | 'error';
  message: string;
}

export interface WorkerErrorEvent {
  /** Of the worker. */
  id: string;
  /** Of the tell whose handler failed, or `'constructor'`, `'onCreate'`, `'onDestroy'`. */
  method: string;
  /** What was thrown or rejected with. */
  error: unknown;
}

export interface WorkerClass<W extends Worker = Worker> {
  new (id: string, broker: Broker<any>, attributes: any): W;
  /** The name that it is registered by, where none is given. */
  classname?: string;
  clustername?: string;
  concurrency?: Concurrency | undefined;
  maxQueue?: number;
  /** Has a meaning for the package where it is a {@link Codec}. */
  codec?: unknown;
  /** A subclass of Agent that `createWorker` and `findWorker` return. */
  agent?: new (id: string, broker: Broker<any>) => Agent<any, any>;
}

/**
 * The worker classes of the application by their registered names, for it to declare once:
 * `declare module 'dworker' { interface WorkerClasses { Cart: typeof Cart } }`. Then other names do not compile, and agents and
 * attributes have the types of their class.
 */
export interface WorkerClasses {}

/** A name that {@link WorkerClasses} declares. */
export type RegisteredName = keyof WorkerClasses & string;
/** Any name, as long as {@link WorkerClasses} declares none. */
export type UndeclaredName = [keyof WorkerClasses] extends [never] ? string : never;

type IsAny<T> = 0 extends 1 & T ? true : false;
type Distributed<T> = T extends unknown ? Omit<T, 'static'> : never;
/** What the creator of a worker of the class `C` gives as its attributes. */
export type AttributesOf<C> = C extends new (...args: any[]) => { readonly attributes: infer A }
  ? { recoverable?: boolean } & Distributed<A>
  : { recoverable?: boolean; [name: string]: any };

type FunctionName<W> = { [K in keyof W & string]: W[K] extends (...args: any[]) => any ? K : never }[keyof W & string];
/** `static methods = true`: neither `_…` nor `on…`. */
type PublicName<K> = K extends `_${string}` ? never : K extends `on${infer Next}${string}` ? (Next extends Lowercase<Next> ? K : never) : K;
type Declared<M, K> = M extends readonly (infer N)[] ? Extract<K, N> : M extends boolean ? PublicName<K> : never;
/** The names of the methods that the class `C` declares by `static methods`. */
export type MethodName<C> = C extends { methods: infer M; prototype: infer W } ? Declared<M, Exclude<FunctionName<W>, keyof Worker | 'then' | 'toJSON'>> : never;

/** A method as its caller has it: one argument, and a callback. */
type Call<F, R, P> = F extends (...args: infer D) => any
  ? D extends []
    ? (data?: undefined, callback?: Callback<R>) => Promised<R, P>
    : D extends [data: infer T, ...rest: any[]]
      ? (data: T, callback?: Callback<R>) => Promised<R, P>
      : D extends [data?: infer T, ...rest: any[]]
        ? (data?: T, callback?: Callback<R>) => Promised<R, P>
        : never
  : never;
type Result<F> = F extends (...args: any[]) => infer R ? Awaited<R> : never;

/** `agent.call` of a worker of the class `C`. Where the class declares no methods, any name is one. */
export type Calls<C, P = 'bluebird'> =
  IsAny<C> extends true
    ? { readonly [method: string]: (data?: any, callback?: Callback<any>) => Promised<any, P> }
    : C extends { methods: readonly any[] | boolean; prototype: infer W }
      ? { readonly [K in MethodName<C> & keyof W]: Call<W[K], Result<W[K]>, P> }
      : { readonly [method: string]: (data?: any, callback?: Callback<any>) => Promised<any, P> };

/** `agent.send` of a worker of the class `C`. */
export type Sends<C, P = 'bluebird'> =
  IsAny<C> extends true
    ? { readonly [method: string]: (data?: any, callback?: Callback<void>) => Promised<void, P> }
    : C extends { methods: readonly any[] | boolean; prototype: infer W }
      ? { readonly [K in MethodName<C> & keyof W]: Call<W[K], void, P> }
      : { readonly [method: string]: (data?: any, callback?: Callback<void>) => Promised<void, P> };

/** The agent that `createWorker` gives for the class `C`: one of its own `agent` class, with the class's methods. */
export type AgentOf<C, P = 'bluebird'> = C extends { agent: new (...args: any[]) => infer A }
  ? C extends { methods: readonly any[] | boolean }
    ? Omit<A, 'call' | 'send' | 'with'> & Pick<Agent<C, P>, 'call' | 'send' | 'with'>
    : A
  : Agent<C, P>;

/** Arguments of the listeners of a broker's events. */
export interface BrokerEvents {
  state: [from: 0 | 1 | 2 | 3 | 4, to: 0 | 1 | 2 | 3 | 4];
  log: [event: LogEvent];
  workerError: [event: WorkerErrorEvent];
  suspended: [];
  resumed: [];
  /** Whether the broker is ready (`broker.ready`) has changed. */
  ready: [ready: boolean];
  brokerDead: [brokerId: string];
  workerLost: [event: WorkerLostEvent];
  /** The core ended by itself. Emitted only where it has a listener. */
  error: [error: DworkerError];
  newListener: [event: string | symbol, listener: (...args: any[]) => void];
  removeListener: [event: string | symbol, listener: (...args: any[]) => void];
}

/**
 * How many messages a worker handles at once. `string` is among them because TypeScript takes `static concurrency = 'serial'`
 * for a string; `registerWorker()` refuses any other value.
 */
export type Concurrency = 'parallel' | 'serial' | (string & {});

/**
 * `'json'`: data means what JSON makes of it. `'structured'`: it means what `structuredClone` makes of it (dates, maps, sets, typed arrays,
 * BigInt, `undefined`, cycles). By either, a `Buffer` or `Uint8Array` that is the data itself travels as bytes and arrives as a `Buffer`.
 */
export type Codec = 'json' | 'structured';

export interface WorkerRegistry {
  add(name: string, ctor: WorkerClass): void;
  get(name: string): WorkerClass | undefined;
}

/**
 * A member of a cluster that workers live in, and the application's way to all workers of the system.
 *
 * Every asynchronous call takes a callback as its last argument, and returns a promise all the same.
 */
export class Broker<P extends 'bluebird' | 'native' | PromiseConstructorLike = 'bluebird'> extends EventEmitter {
  static readonly State: {
    readonly INACTIVE: 0;
    readonly ACTIVATING: 1;
    readonly ACTIVE: 2;
    readonly DESTROYING: 3;
    readonly DESTROYED: 4;
  };

  /** @param id unique in the whole system: a non-empty string of at most 512 bytes */
  constructor(id: string, option?: BrokerOptions & { promise?: P });

  /** A broker that is started. `await using broker = await Broker.start(id, option)` ends it, too. */
  static start(id: string, callback: Callback<Broker>): Answer<Broker>;
  static start<P extends 'bluebird' | 'native' | PromiseConstructorLike = 'bluebird'>(
    id: string,
    option?: BrokerOptions & { promise?: P },
    callback?: Callback<Broker<P>>
  ): Promised<Broker<P>, P>;

  readonly id: string;
  /** One of `Broker.State`. */
  readonly state: 0 | 1 | 2 | 3 | 4;
  readonly clustername: string;
  /** Sum of its workers' loads. */
  readonly load: number;
  /** ms */
  readonly rpcTimeout: number;
  /**
   * Whether this broker takes new workers and the others can use it: it is ACTIVE, has proven its lease, is not cordoned, its event loop
   * is not blocked, and other brokers can connect to it.
   */
  readonly ready: boolean;
  /** The clock of the Redis server, ms. */
  readonly redisTime: number;
  /** The application's own client object, where it gave one. */
  readonly pub: any;
  /** The application's own client object, where it gave one. */
  readonly sub: any;

  /** Joins the cluster. Allowed in the states INACTIVE and DESTROYED; a failure leads back to INACTIVE. */
  start(callback?: Callback<void>): Promised<void, P>;

  /** Makes a worker class known here: by the given name, else its `classname`, else its `name`. */
  registerWorker(ctor: WorkerClass, option?: RegisterOptions): void;
  registerWorker(name: string, ctor: WorkerClass, option?: RegisterOptions): void;

  /** Replaces the registry of worker classes. */
  setWorkerRegistry(registry: WorkerRegistry): void;

  /**
   * Makes a worker on the least loaded broker of its class's cluster, and waits `rpcTimeout` for its `onCreate`. A live
   * worker of that id is returned, not made again.
   */
  createWorker<A extends Agent<any, any> = Agent<any, PromiseKind<P>>>(name: UndeclaredName, callback?: Callback<A>): Promised<A, P>;
  createWorker<A extends Agent<any, any> = Agent<any, PromiseKind<P>>>(
    name: UndeclaredName,
    option?: CreateOptions | null,
    callback?: Callback<A>
  ): Promised<A, P>;
  createWorker<N extends RegisteredName>(
    name: N,
    callback?: Callback<AgentOf<WorkerClasses[N], PromiseKind<P>>>
  ): Promised<AgentOf<WorkerClasses[N], PromiseKind<P>>, P>;
  createWorker<N extends RegisteredName>(
    name: N,
    option?: CreateOptions<AttributesOf<WorkerClasses[N]>> | null,
    callback?: Callback<AgentOf<WorkerClasses[N], PromiseKind<P>>>
  ): Promised<AgentOf<WorkerClasses[N], PromiseKind<P>>, P>;

  /**
   * The agent of a worker that is made by the first message to it, on a broker that hosts the class. Contacts nobody. The id is
   * `<name>/<key>`; without a key there is one worker of the class, and the id is its name. The worker stays until it is destroyed, and is
   * asleep where no broker runs it.
   */
  get<C extends WorkerClass<any>>(target: C, key?: string | null, option?: GetOptions<AttributesOf<C>> | null): AgentOf<C, PromiseKind<P>>;
  get<N extends RegisteredName>(name: N, key?: string | null, option?: GetOptions<AttributesOf<WorkerClasses[N]>> | null): AgentOf<WorkerClasses[N], PromiseKind<P>>;
  get<A extends Agent<any, any> = Agent<any, PromiseKind<P>>>(name: UndeclaredName, key?: string | null, option?: GetOptions | null): A;

  /** `null` when there is no such worker; waits while it is being recovered. */
  findWorker<A extends Agent<any, any> = Agent<any, PromiseKind<P>>>(id: string, callback?: Callback<A | null>): Promised<A | null, P>;

  /**
   * Leaves the cluster: `onDestroy({cause: SYSTEM})` runs on its workers, and each recoverable one is handed over as soon as
   * that has settled. Does not wait for running handlers.
   */
  destroy(callback?: Callback<void>): Promised<void, P>;
  destroy(option?: DestroyOptions | null, callback?: Callback<void>): Promised<void, P>;

  /** Keeps new workers away from this broker; those that it runs stay. Resolves when the other brokers place none here any more. */
  cordon(callback?: Callback<void>): Promised<void, P>;
  /** Lets new workers come again. */
  uncordon(callback?: Callback<void>): Promised<void, P>;

  /** `destroy({noRecover: true})`, then `start()`. */
  restart(callback?: Callback<void>): Promised<void, P>;

  /** Replaces `option.secret` for the handshakes that begin from now on; open connections stay. */
  setSecret(secret: string | [string] | [string, string]): void;

  /** Replaces the certificates of `option.tls` for the handshakes that begin from now on; open connections stay. */
  setSecureContext(tls: TlsOptions): void;
  /** Frees a worker that is quarantined: it is recovered at once. `false` where no worker of this id was held back. */
  release(id: string, callback?: Callback<boolean>): Promised<boolean, P>;

  /** The brokers of the namespace, by id; also those whose lease has expired and that nobody has evicted yet. */
  listBrokers(callback?: Callback<BrokerInfo[]>): Promised<BrokerInfo[], P>;

  /**
   * The workers of the namespace. Reading them activates nothing. A worker that is there from the beginning to the end of an
   * iteration is in it once, whatever happens to it meanwhile.
   */
  listWorkers(option?: (ListOptions & { limit?: null; cursor?: null }) | null): AsyncIterableIterator<WorkerInfo>;
  /** One page of them. The iteration remembers the ids that it returned; pages that follow each other may repeat one. */
  listWorkers(option: ListOptions & ({ limit: number } | { cursor: string }), callback?: Callback<WorkerPage>): Promised<WorkerPage, P>;

  /** One worker with its attributes; `null` when there is no such worker. Reading it activates nothing. */
  inspect(id: string, callback?: Callback<InspectedWorker | null>): Promised<InspectedWorker | null, P>;

  /** Tells every broker of the namespace to restart; does not wait for it. */
  restartAll(): void;

  /**
   * Closes the Redis connections, client objects of the application's included. After `destroy()` and `quit()` nothing
   * keeps the process alive. On an ACTIVE broker it closes only the given objects and logs a warning.
   */
  quit(): void;

  /** As `destroy()` and `quit()`, in any state. */
  [Symbol.asyncDispose](): Promise<void>;

  on<E extends keyof BrokerEvents>(event: E, listener: (...args: BrokerEvents[E]) => void): this;
  once<E extends keyof BrokerEvents>(event: E, listener: (...args: BrokerEvents[E]) => void): this;
  off<E extends keyof BrokerEvents>(event: E, listener: (...args: BrokerEvents[E]) => void): this;
  addListener<E extends keyof BrokerEvents>(event: E, listener: (...args: BrokerEvents[E]) => void): this;
  removeListener<E extends keyof BrokerEvents>(event: E, listener: (...args: BrokerEvents[E]) => void): this;
  prependListener<E extends keyof BrokerEvents>(event: E, listener: (...args: BrokerEvents[E]) => void): this;
  prependOnceListener<E extends keyof BrokerEvents>(event: E, listener: (...args: BrokerEvents[E]) => void): this;
}

/** What `broker.listBrokers()` shows of a broker. */
export interface BrokerInfo {
  id: string;
  /** One life of a broker, from `start()` on: 32 hexadecimal digits. */
  incarnation: string;
  cluster: string;
  /** Where other brokers reach it: `host:port`. */
  address: string;
  /** Names of the worker classes of its cluster that are registered there. */
  classes: string[];
  /** Sum of the loads of its workers. */
  load: number;
  /** How many workers it owns. */
  workers: number;
  /** In ms, on the server's clock; below zero when the lease has expired. */
  leaseExpiresIn: number;
  /** It gets no new workers: it is cordoned or leaving, or its event loop is blocked. */
  cordoned: boolean;
  /** Of this package there. */
  version: string;
  /** Name of its machine. */
  host: string;
  pid: number;
}

/** `placing`: placed on its broker, which has not confirmed it yet; `pending`: waits to be recovered; `quarantined`: until `release()`. */
export type WorkerState = 'placing' | 'active' | 'pending' | 'asleep' | 'quarantined';

/** What `broker.listWorkers()` shows of a worker. */
export interface WorkerInfo {
  id: string;
  class: string;
  cluster: string;
  /** Id of the broker that owns it; `null` while none does, or when that broker's record is gone. */
  broker: string | null;
  /** As `worker.epoch`. */
  epoch: string;
  state: WorkerState;
  /** Why no broker owns it: only while it is `pending` or `quarantined`. */
  reason?: string;
  /** When it was first created, in ms since 1970. */
  createdAt: number;
  load: number;
  recoverable: boolean;
}

/** What `broker.inspect()` shows of a worker. */
export interface InspectedWorker extends WorkerInfo {
  attributes: { [name: string]: any };
}

/** A part of the list of workers. */
export interface WorkerPage {
  /** At most `limit`; possibly fewer, or none, also where more follow. */
  workers: WorkerInfo[];
  /** For the next page; absent at the end. */
  cursor?: string;
}

/** Which workers `broker.listWorkers()` shows. */
export interface ListOptions {
  /** Workers of the class that is registered under this name. */
  name?: string | null;
  /** Workers of this cluster. */
  clustername?: string | null;
  /** Workers that the broker of this id owns. */
  broker?: string | null;
  /** Workers in this state. */
  state?: WorkerState | null;
  /** Returns one page of at most so many workers (1 to 10 000), instead of an iterable of all. */
  limit?: number | null;
  /** The `cursor` of the page before. */
  cursor?: string | null;
}

export interface CreateInfo {
  /** One of `Worker.CreateCause`. */
  cause: 0 | 1 | 2 | 3;
  /** As `worker.epoch`. Not enumerable. */
  readonly epoch: string;
  /** Which try this is since the last `onCreate` of the worker that ended: 1, or more when processes ended during it. Not enumerable. */
  readonly attempt: number;
}

/** The call that is being handled. */
export interface CallContext {
  /** Until when its answer is waited for, as `Date.now()` counts; `Infinity` for a tell. */
  readonly deadline: number;
  /**
   * Aborts when nobody waits for the answer any more (timeout, abort, lost connection), and when this broker is suspended.
   */
  readonly signal: AbortSignal;
  /** The id of the broker that it came from; `undefined` where its connection has ended. */
  readonly callerBroker: string | undefined;
}

export interface DestroyInfo {
  /** One of `Worker.DestroyCause`. */
  cause: 0 | 1 | 2 | 3 | 4;
}

/**
 * Base of all workers. Brokers construct them, the application never does.
 *
 * A handler may return a promise, any thenable or a plain value, or call its callback; the first one wins. `undefined`
 * from a handler that declares the callback waits for the callback.
 */
export class Worker<Attributes = any> {
  static readonly State: {
    readonly INACTIVE: 0;
    readonly ACTIVATING: 1;
    readonly ACTIVE: 2;
    readonly DESTROYING: 3;
    readonly DESTROYED: 4;
  };
  static readonly CreateCause: { readonly NEW: 0; readonly RECOVERY: 1; readonly HANDOVER: 2; readonly WAKE: 3 };
  static readonly DestroyCause: { readonly SELF: 0; readonly SYSTEM: 1; readonly FENCED: 2; readonly HANDOVER: 3; readonly IDLE: 4 };
  static readonly DEFAULT_LOAD: 1;
  /**
   * The call that is being handled, for all that its handler runs, through `await` and the promises of this package.
   * `undefined` outside of handlers, and after the answer.
   */
  static context(): CallContext | undefined;
  /** `'serial'`: one message at a time, the next one when the handler has settled. Default: `'parallel'`. */
  static concurrency?: Concurrency;
  /** How many messages wait for a serial worker at most; callers beyond it get `DW_ERR_OVERLOADED`. Default: 10000. */
  static maxQueue?: number;
  /** How messages to its workers, and their answers, are encoded. Any other value than a {@link Codec} is without effect. Default: `option.codec`. */
  static codec?: unknown;
  static classname?: string;
  static clustername?: string;
  static agent?: new (id: string, broker: Broker<any>) => Agent<any, any>;

  constructor(id: string, broker: Broker<any>, attributes?: Attributes);

  readonly id: string;
  /** One of `Worker.State`. */
  readonly state: 0 | 1 | 2 | 3 | 4;
  /** What the creator gave; `static` is always there. */
  readonly attributes: Attributes & { static: boolean };
  /** A string of digits that grows with every activation of this id anywhere: a fencing token. */
  readonly epoch: string;
  /** The broker that it runs on. A class may have a property of this name for itself. */
  readonly broker: Broker<any>;
  /** Floored; negative values, and all after destruction, are ignored. Setting it changes the broker's at once. */
  load: number;
  /** For workers written for the original: `br` is the Broker. Not enumerable. */
  readonly __priv: { br: Broker<any>; id: string };

  /** Ends this worker, after `onCreate` where that still runs. A second call does nothing. */
  destroy(option?: DestroyOptions | null): void;

  /** To override: called once, after construction. If it rejects, the failure is reported by events and the worker is active all the same. */
  onCreate(info: CreateInfo, callback?: Callback<void>): any;
  /** To override: called for each ask. Base: calls the method that `static methods` declares, else rejects with "Not implemented". */
  onAsk(method: string, data: any, callback?: Callback<any>): any;
  /** To override: called for each tell. A failure is reported by the events `'log'` and `'workerError'`. */
  onTell(method: string, data: any): any;
  /** To override: called once, before the worker ends. A failure is reported by events and ignored. */
  onDestroy(info: DestroyInfo, callback?: Callback<void>): any;
}

/** A handle of a worker, wherever that lives. Messages of one broker to one worker arrive in the order of sending. */
export class Agent<C = any, P = 'bluebird'> {
  constructor(id: string, broker: Broker<any>);

  /** Of the worker. */
  readonly id: string;

  /**
   * Waits for the handler's answer, for `rpcTimeout` at most. `data` is copied, as `option.codec` says. Inside of a handler it ends
   * with the call that is being handled, if that is earlier.
   */
  ask<T = any>(method: string, data?: any, callback?: Callback<T>): Promised<T, P>;
  ask<T = any>(method: string, data?: any, option?: AskOptions | null, callback?: Callback<T>): Promised<T, P>;

  /** Waits until the message is handed to the transport. A rejection that nobody awaits is no `unhandledRejection`. */
  tell(method: string, data?: any, callback?: Callback<void>): Promised<void, P>;

  /**
   * Ends the worker for good, wherever it is, after the messages that this broker sent it before; one that is asleep is deleted without
   * being activated. Resolves when it is gone, also where there was none.
   */
  destroy(callback?: Callback<void>): Promised<void, P>;

  /** Its functions are asks: `agent.call.add(data)` is `agent.ask('add', data)`. */
  readonly call: Calls<C, P>;
  /** Its functions are tells: `agent.send.add(data)` is `agent.tell('add', data)`. */
  readonly send: Sends<C, P>;
  /** The same agent whose asks have these options, where they are given no others. */
  with(option: AskOptions): this;
}

export interface RouterOptions {
  /** An idle connection is closed after this; ms, 0: never. Default: 30000. */
  socTimeout?: number;
}

/** The bare transport between two addresses, without broker or Redis. */
export class Router extends EventEmitter {
  constructor(option?: RouterOptions);

  /** Listens on a free port of `host`; default `'0.0.0.0'`. */
  listen(callback?: Callback<{ address: string; port: number }>): Answer<{ address: string; port: number }>;
  listen(
    host?: string | null,
    callback?: Callback<{ address: string; port: number }>
  ): Answer<{ address: string; port: number }>;

  /** Is fulfilled when the request is written. */
  request(address: { host: string; port: number }, data?: any, callback?: Callback<void>): Answer<void>;

  /** Answers on the connection that the request came by. */
  respond(requesterId: number, data?: any, callback?: Callback<void>): Answer<void>;

  close(): void;

  on(event: 'request', listener: (data: any, requesterId: number) => void): this;
  on(event: 'response', listener: (data: any) => void): this;
  on(event: 'disconnect', listener: (address: { host: string; port: number }) => void): this;
  on(event: 'log', listener: (event: Omit<LogEvent, 'id'>) => void): this;
  on(event: string | symbol, listener: (...args: any[]) => void): this;
}
