/// <reference types="node" />
import { KeyObject } from 'node:crypto';
import { EventEmitter } from 'node:events';

/**
 * The type that asynchronous methods return. With `option.promise = 'bluebird'` (the default) it is a bluebird promise, of which only the
 * most used methods are declared here. With `'native'` it is a plain `Promise`.
 */
export interface Answer<T> extends Promise<T> {
  then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: any) => B | PromiseLike<B>) | null
  ): Answer<A | B>;
  catch<B = never>(onRejected?: ((reason: any) => B | PromiseLike<B>) | null): Answer<T | B>;
  finally(onFinally?: (() => void) | null): Answer<T>;
  /** Bluebird only: like `then`, but an error ends the process. */
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

/** The type that a method returns. `P` is `option.promise` of its broker. */
export type Promised<T, P = 'bluebird'> = [P] extends ['native' | PromiseConstructor] ? Promise<T> : Answer<T>;

/** The kind of a broker's promises, as the type parameter of its agents. */
export type PromiseKind<P> = [P] extends ['native' | PromiseConstructor] ? 'native' : 'bluebird';

/** A node-style callback: it is called as `callback(error)` or `callback(null, value)`. */
export type Callback<T> = (error: any, value?: T) => void;

/** Whether the handler may have run. Work that must not run twice may be sent again only after `'no'`. */
export type Delivered = 'no' | 'unknown' | 'yes';

/** The codes of the errors of this package. If the error of a handler has its own `code`, that code replaces `DW_ERR_REJECTED`. */
export type ErrorCode =
  /** The handler failed. Delivered: yes. */
  | 'DW_ERR_REJECTED'
  /** No answer arrived before the deadline. Delivered: unknown. */
  | 'DW_ERR_TIMEOUT'
  /** The connection broke during the call, or the worker ended or moved while it handled the call. Delivered: unknown. */
  | 'DW_ERR_PEER_LOST'
  /** The caller's signal aborted the call. Delivered: no or unknown. */
  | 'DW_ERR_ABORTED'
  /** No worker has this id. */
  | 'DW_ERR_WORKER_NOT_FOUND'
  /** The class is not registered at any live broker of its cluster. */
  | 'DW_ERR_NO_BROKER'
  /** The class is not registered at this broker. */
  | 'DW_ERR_CLASS_UNKNOWN'
  /** The worker's broker cannot be reached. */
  | 'DW_ERR_UNREACHABLE'
  /** The broker has no valid lease. */
  | 'DW_ERR_SUSPENDED'
  /** A bounded queue is full. */
  | 'DW_ERR_OVERLOADED'
  /** The message or the attributes exceed the limit. */
  | 'DW_ERR_TOO_LARGE'
  /** The method is not allowed in this state of the broker. */
  | 'DW_ERR_STATE'
  /** An argument or option is wrong: "Expected … for … but received …". */
  | 'DW_ERR_CONFIG'
  /** Redis cannot be reached, or refused the command. */
  | 'DW_ERR_REDIS'
  /** Another live broker has this id. */
  | 'DW_ERR_BROKER_ID_IN_USE'
  /** Another process listens on `listen.port` and did not close it within 6 s. */
  | 'DW_ERR_ADDRESS_IN_USE'
  /** Brokers of another version use the namespace. */
  | 'DW_ERR_SCHEMA'
  /** The call would wait for itself. */
  | 'DW_ERR_CYCLE'
  /** The other broker could not prove that it knows the secret. */
  | 'DW_ERR_UNAUTHORIZED'
  /** The id belongs to a worker of another class. */
  | 'DW_ERR_CLASS_MISMATCH'
  /** The worker repeatedly ended its process, and is in quarantine until `broker.release(id)` is called. */
  | 'DW_ERR_QUARANTINED'
  /** The constructor or the `onCreate` of a worker that messages create failed. Its error is the `cause`. */
  | 'DW_ERR_ACTIVATION'
  /** The stored data of the worker is missing, or cannot be migrated; nothing was overwritten. */
  | 'DW_ERR_DATA_FORMAT'
  /** The handler ran, and the change of the worker's data could not be stored: the `cause` says why. Delivered: yes. */
  | 'DW_ERR_NOT_STORED';

/**
 * The errors with which calls reject. If a handler failed, the error has the `name`, `message` and `code` of the handler's error and those of its own properties that
 * JSON can express, and `delivered` is `'yes'`. An error of this package that the handler let through is the `cause`.
 */
export interface DworkerError extends Error {
  code: ErrorCode | (string & {});
  delivered: Delivered;
  cause?: unknown;
  /** The stack of the handler's error, as its process wrote it. It is absent if `option.remoteStack` of that broker is `false`. `stack` ends with it. */
  remoteStack?: string;
  [property: string]: unknown;
}

/** Options as for `tls.connect()`, in PEM. Without `ca`, the certificates that Node trusts are trusted. */
export interface RedisTlsOptions {
  ca?: string | Uint8Array | (string | Uint8Array)[];
  cert?: string | Uint8Array | (string | Uint8Array)[];
  key?: string | Uint8Array | KeyObject;
  passphrase?: string;
  /** The name that the server's certificate must have, if it is not the host. */
  servername?: string;
  /** With `false` the server's certificate is not checked. Default: `true`. */
  rejectUnauthorized?: boolean;
}

/** An unknown field is an error, because the broker might otherwise connect to the wrong server. */
export interface RedisOptions {
  /** `redis[s]://`, `redis[s]-sentinel://`, `redis+unix://` (or `valkey…`), or `memory://`. It replaces `host`, `port`, `path`, `nodes` and `sentinels`. */
  url?: string | URL | null;
  /** Default: `'127.0.0.1'`. */
  host?: string | null;
  /** Default: 6379. */
  port?: number | string | null;
  /** Path of a Unix socket. */
  path?: string | null;
  username?: string | null;
  password?: string | null;
  db?: number | string | null;
  /** Nodes of a Redis Cluster, instead of `host` and `port`. The default port is 6379. */
  nodes?: { host: string; port?: number | string | null }[] | null;
  /** TLS to the server. Default: no TLS. */
  tls?: boolean | RedisTlsOptions | null;
  /** All sentinels that monitor the server. The default port is 26379. */
  sentinels?: { host: string; port?: number | string | null }[] | null;
  /** Name of the master in the configuration of the sentinels. */
  name?: string | null;
  /** User name on the sentinels. `username` and `password` are for Redis. */
  sentinelUsername?: string | null;
  sentinelPassword?: string | null;
  /** TLS to the sentinels. Default: as `tls`. */
  sentinelTls?: boolean | RedisTlsOptions | null;
  /** Declares that the server is a node of a Redis Cluster. It only checks that `db` is 0; redirects are always followed. */
  cluster?: boolean | null;
  /** A client object of the application (`redis` 0.12 to 6, `ioredis` 5, 6). The broker uses its address, user name and password. */
  pub?: object | null;
  /** Like `pub`. `broker.quit()` also calls `quit()` on both objects. */
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
   * The server that stores the state of the namespace: a URL (`redis[s]://`, `redis[s]-sentinel://`, `redis+unix://`, `memory://`) or an object. Default: the
   * environment variable `DWORKER_REDIS_URL`, else `127.0.0.1:6379`.
   */
  redis?: string | URL | RedisOptions | null;
  /** Deadline of an ask, in ms from the call. Default: 3000. */
  rpcTimeout?: number;
  /** A worker that is older than this is not recovered; in ms, 0: no limit. Default: 0. */
  ttl?: number;
  /** The cache of routes (worker id → broker); `maxAge` in ms. Default: 1000, 30000. */
  brokerCache?: { max?: number; maxAge?: number };
  /** How messages that were not delivered are sent again; in ms. Default: 40, 800, 2000. */
  retries?: { initialInterval?: number; maxInterval?: number; duration?: number };
  /** A connection between brokers is closed after it was idle for this long; in ms. Default: 15000. */
  socTimeout?: number;
  /** Maximum number of other brokers that this broker is connected to. Further ones are refused with `DW_ERR_OVERLOADED`. Default: 4096. */
  maxPeers?: number;
  /**
   * Which threads read and write the sockets that carry messages: Node's event loop, which has the lowest latency, or threads
   * of dworker. Default: the environment variable `DWORKER_SOCKETS`, else `'loop'`. In runtimes other than Node it is always `'task'`.
   */
  sockets?: 'loop' | 'task';
  /** Whether brokers of one Linux host reach each other over a Unix socket; `true` by default. */
  localSockets?: boolean;
  /** Whether errors of handlers on this broker are sent with their stack; `true` by default. */
  remoteStack?: boolean;
  /** How the data of messages and the answers of workers are encoded, unless the class has its own `codec`. Default: `'json'`. */
  codec?: Codec;
  /** How often this broker looks for dead brokers; in **seconds**, 0: never. Default: 1. */
  healthCheckInterval?: number;
  /** Accepted for compatibility with dworker 0.9. It has no effect. */
  batchReadSize?: number;
  /**
   * The address on which this broker listens for other brokers. Default: the local address of the connection to Redis, and a free port. If another
   * process still listens on the port, `start()` retries for up to 6 s.
   */
  listen?: Address | null;
  /** The address that other brokers connect to. Default: the address listened on. */
  advertise?: Address | null;
  /**
   * How long the lease is valid after a renewal, and how often it is renewed; in ms. Default: 5000, 500.
   * `strict`: a broker counts as dead only when its lease has expired, not when its process is proven dead. Default: false.
   */
  lease?: { ttl?: number; renew?: number; strict?: boolean };
  /**
   * What the broker does if it cannot renew its lease in time: its workers get no messages (`'suspend'`), or they continue although they
   * may have been created again on another broker (`'serve'`). Default: `'suspend'`.
   */
  onRedisLoss?: 'suspend' | 'serve';
  /**
   * If the event loop has been blocked for `after` ms (at least 2000), the broker logs an error (`'report'`) or aborts the
   * process (`'abort'`). Default: 30000, `'report'`.
   */
  stall?: { after?: number; action?: 'report' | 'abort' };
  /** Maximum size of a message in bytes. Default: 16 MiB. */
  maxMessageBytes?: number;
  /** How long `destroy()` of a broker or of a worker waits for `onDestroy`; in ms. Default: 5000. */
  destroyTimeout?: number;
  /** The secret that brokers prove to know, 16 to 1024 characters; `[new, old]` to rotate it. Default: `DWORKER_SECRET`, else a random secret that is kept in Redis. */
  secret?: string | [string] | [string, string] | null;
  /** Mutual TLS 1.3 between brokers. Default: none. */
  tls?: TlsOptions | null;
  /**
   * A listener for `'log'` that gets all lines from the start, or a logger such as Pino, which gets lines with fields. If `'log'` has no listener, mistakes such as a misspelt option or a failed
   * tell are reported once each by `process.emitWarning()`; `false` turns that off.
   */
  log?: false | Logger | ((event: LogEvent) => void);
  /** The kind of promises that methods return. Default: `'bluebird'`. */
  promise?: 'bluebird' | 'native' | PromiseConstructorLike;
}

/** Values in PEM. */
export interface TlsOptions {
  /** Private key, not encrypted. */
  key: string | Buffer;
  /** The certificate of that key, followed by its intermediate certificates. */
  cert: string | Buffer;
  /** The certificate authorities of the other brokers. There are several while one is being replaced. */
  ca: string | Buffer;
}

export interface RegisterOptions {
  /** The cluster in which workers of this class run. Default: the `clustername` of the class, else `'main'`. */
  clustername?: string;
}

export interface CreateOptions<Attributes = { recoverable?: boolean; [name: string]: any }> {
  /** At most 512 bytes. Default: the class name for a static worker, else `Name#n`. */
  id?: string | null;
  /** `true`: there is one worker of this class in the namespace, and its id is the class name. */
  static?: boolean;
  /** Passed to the worker; at most 64 KiB of JSON. A worker with `recoverable: true` is created again when its broker dies or leaves. */
  attributes?: Attributes | null;
}

export interface GetOptions<Attributes = { recoverable?: boolean; [name: string]: any }> {
  /** Used if a message of this agent creates the worker; at most 64 KiB of JSON. */
  attributes?: Attributes | null;
  /** The cluster of the class. Required if the class is not registered at this broker. */
  clustername?: string;
}

export interface AskOptions {
  /** How long to wait for the answer, in ms. Default: `rpcTimeout`. */
  timeout?: number;
  /** Ends the ask with `DW_ERR_ABORTED` when it aborts. */
  signal?: AbortSignal;
}

export interface DestroyOptions {
  /** For a broker, `true`: no worker is handed over. For a worker, `false`: it is created again on a broker of its cluster. */
  noRecover?: boolean;
}

/** A worker that is not recovered: its constructor threw, or it repeatedly ended its process and is in quarantine. */
export interface WorkerLostEvent {
  /** The id of the worker. */
  id: string;
  /** Why the worker is not recovered. */
  reason: string;
}

/** A logger of the application, such as Pino: each function takes the fields of a line and its message. */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}

/** The fields of a log line. Which of them a line has depends on its subject. */
export interface LogFields {
  /** The id of the broker that writes the line. */
  broker: string;
  /** The event that the line reports. Lines about anything else have no `event`. */
  event?: 'state' | 'suspended' | 'resumed' | 'ready' | 'brokerDead' | 'workerLost' | 'activated' | 'ended';
  /** The id of another broker. */
  peer?: string;
  /** The id of a worker. */
  worker?: string;
  class?: string;
  epoch?: string;
  /** The method of a message to the worker, or `'constructor'`, `'onCreate'`, `'onDestroy'`. */
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
  /** In ms. For a tell: until it was handed to the transport. */
  duration: number;
  /** The error that the call failed with. */
  error: unknown;
  /** The class of the worker; only for handlers. */
  class?: string;
  /** The epoch of the worker; only for handlers. */
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
  /** The id of the worker. */
  id: string;
  /** The method of the tell whose handler failed, or `'constructor'`, `'onCreate'`, `'onDestroy'`. */
  method: string;
  /** The value that the handler threw or rejected with. */
  error: unknown;
}

export interface WorkerClass<W extends Worker = Worker> {
  new (id: string, broker: Broker<any>, attributes: any): W;
  /** The name under which the class is registered, if `registerWorker()` is given none. */
  classname?: string;
  clustername?: string;
  concurrency?: Concurrency | undefined;
  maxQueue?: number;
  /** Used if it is a {@link Codec}; other values have no effect. */
  codec?: unknown;
  /** Has a meaning for the package where it is a {@link Duration}. */
  idle?: unknown;
  /** A subclass of Agent that `createWorker` and `findWorker` return. */
  agent?: new (id: string, broker: Broker<any>) => Agent<any, any>;
}

/**
 * The worker classes of the application by their registered names. The application may declare them once:
 * `declare module 'dworker' { interface WorkerClasses { Cart: typeof Cart } }`. Other names then do not compile, and agents and
 * attributes have the types of their class.
 */
export interface WorkerClasses {}

/** A name that {@link WorkerClasses} declares. */
export type RegisteredName = keyof WorkerClasses & string;
/** Any name, as long as {@link WorkerClasses} declares none. */
export type UndeclaredName = [keyof WorkerClasses] extends [never] ? string : never;

type IsAny<T> = 0 extends 1 & T ? true : false;
type Distributed<T> = T extends unknown ? Omit<T, 'static'> : never;
/** The type of the attributes with which a worker of the class `C` is created. */
export type AttributesOf<C> = C extends new (...args: any[]) => { readonly attributes: infer A }
  ? { recoverable?: boolean } & Distributed<A>
  : { recoverable?: boolean; [name: string]: any };

type FunctionName<W> = { [K in keyof W & string]: W[K] extends (...args: any[]) => any ? K : never }[keyof W & string];
/** `static methods = true`: neither `_…` nor `on…`. */
type PublicName<K> = K extends `_${string}` ? never : K extends `on${infer Next}${string}` ? (Next extends Lowercase<Next> ? K : never) : K;
type Declared<M, K> = M extends readonly (infer N)[] ? Extract<K, N> : M extends boolean ? PublicName<K> : never;
/** Members of `Worker` that are newer than many classes, which may have some of their own. */
type NewMember = 'data' | 'keepAwake' | 'save' | 'touch';
type IsSame<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
/** The names that a class has from `Worker`. */
type Inherited<W> = Exclude<keyof Worker, NewMember> | { [K in NewMember & keyof W]: IsSame<W[K], Worker[K]> extends true ? K : never }[NewMember & keyof W];

/** The names of the methods that the class `C` declares by `static methods`. */
export type MethodName<C> = C extends { methods: infer M; prototype: infer W } ? Declared<M, Exclude<FunctionName<W>, Inherited<W> | 'then' | 'toJSON'>> : never;

/** The type of a method in `agent.call`: it takes one argument and a callback. */
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

/** `agent.call` of a worker of the class `C`. If the class declares no methods, it has a function for any name. */
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

/** The agent that `createWorker` returns for the class `C`: an instance of its `agent` class, with the declared methods of `C`. */
export type AgentOf<C, P = 'bluebird'> = C extends { agent: new (...args: any[]) => infer A }
  ? C extends { methods: readonly any[] | boolean }
    ? Omit<A, 'call' | 'send' | 'with'> & Pick<Agent<C, P>, 'call' | 'send' | 'with'>
    : A
  : Agent<C, P>;

/** The arguments that listeners of a broker's events get. */
export interface BrokerEvents {
  state: [from: 0 | 1 | 2 | 3 | 4, to: 0 | 1 | 2 | 3 | 4];
  log: [event: LogEvent];
  workerError: [event: WorkerErrorEvent];
  suspended: [];
  resumed: [];
  /** The value of `broker.ready` has changed. */
  ready: [ready: boolean];
  brokerDead: [brokerId: string];
  workerLost: [event: WorkerLostEvent];
  /** The native core stopped unexpectedly. Emitted only if it has a listener. */
  error: [error: DworkerError];
  newListener: [event: string | symbol, listener: (...args: any[]) => void];
  removeListener: [event: string | symbol, listener: (...args: any[]) => void];
}

/**
 * Whether a worker handles one message at a time. The type includes `string` because TypeScript infers `string` for `static concurrency = 'serial'`;
 * `registerWorker()` throws on any other value.
 */
export type Concurrency = 'parallel' | 'serial' | (string & {});

/**
 * With `'json'`, the receiver gets what `JSON.parse(JSON.stringify(data))` returns. With `'structured'`, it gets what `structuredClone(data)` returns (dates, maps, sets,
 * typed arrays, BigInt, `undefined`, cycles). With both, data that is a `Buffer` or `Uint8Array` itself is sent as bytes and arrives as a `Buffer`.
 */
export type Codec = 'json' | 'structured';

export interface WorkerRegistry {
  add(name: string, ctor: WorkerClass): void;
  get(name: string): WorkerClass | undefined;
}

/**
 * A member of a namespace. It runs workers, and the application uses it to reach all workers of the namespace.
 *
 * Every asynchronous method accepts a callback as its last argument, and still returns a promise.
 */
export class Broker<P extends 'bluebird' | 'native' | PromiseConstructorLike = 'bluebird'> extends EventEmitter {
  static readonly State: {
    readonly INACTIVE: 0;
    readonly ACTIVATING: 1;
    readonly ACTIVE: 2;
    readonly DESTROYING: 3;
    readonly DESTROYED: 4;
  };

  /** @param id unique in the namespace: a non-empty string of at most 512 bytes */
  constructor(id: string, option?: BrokerOptions & { promise?: P });

  /** Creates a broker and starts it. With `await using broker = await Broker.start(id, option)` it also leaves at the end of the block. */
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
  /** The sum of the loads of its workers. */
  readonly load: number;
  /** The option of this name, in ms. */
  readonly rpcTimeout: number;
  /**
   * Whether new workers can be placed on this broker and other brokers can use it: it is ACTIVE, it has a valid lease, it is not cordoned,
   * its event loop is not blocked, and other brokers can connect to it.
   */
  readonly ready: boolean;
  /** The time on the clock of the Redis server, in ms since 1970. */
  readonly redisTime: number;
  /** The client object of the application, if one was given. */
  readonly pub: any;
  /** The client object of the application, if one was given. */
  readonly sub: any;

  /** Joins the cluster. Allowed in the states INACTIVE and DESTROYED. After a failure the state is INACTIVE. */
  start(callback?: Callback<void>): Promised<void, P>;

  /** Registers a worker class at this broker: under the given name, else its `classname`, else its `name`. */
  registerWorker(ctor: WorkerClass, option?: RegisterOptions): void;
  registerWorker(name: string, ctor: WorkerClass, option?: RegisterOptions): void;

  /** Replaces the store of registered worker classes. */
  setWorkerRegistry(registry: WorkerRegistry): void;

  /**
   * Creates a worker on the least loaded broker of its class's cluster, and waits up to `rpcTimeout` for its `onCreate`. It also resolves if `onCreate`
   * rejects: the worker is active in that case too. If a worker with that id and class exists, an agent of that worker is returned.
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
   * Returns the agent of a worker that the first message creates, on a broker that has the class registered. The call itself sends nothing. The id is
   * `<name>/<key>`; without a key, the class has one such worker and the id is its name. The worker exists until it is destroyed, and is
   * asleep while no broker runs it.
   */
  get<C extends WorkerClass<any>>(target: C, key?: string | null, option?: GetOptions<AttributesOf<C>> | null): AgentOf<C, PromiseKind<P>>;
  get<N extends RegisteredName>(name: N, key?: string | null, option?: GetOptions<AttributesOf<WorkerClasses[N]>> | null): AgentOf<WorkerClasses[N], PromiseKind<P>>;
  get<A extends Agent<any, any> = Agent<any, PromiseKind<P>>>(name: UndeclaredName, key?: string | null, option?: GetOptions | null): A;

  /** Returns `null` if no worker has this id. Waits up to `retries.duration` while the worker is waiting to be recovered. */
  findWorker<A extends Agent<any, any> = Agent<any, PromiseKind<P>>>(id: string, callback?: Callback<A | null>): Promised<A | null, P>;

  /**
   * Leaves the cluster: `onDestroy({cause: SYSTEM})` is called on its workers, and each recoverable worker is handed over as soon as
   * that has settled. It does not wait for running handlers.
   */
  destroy(callback?: Callback<void>): Promised<void, P>;
  destroy(option?: DestroyOptions | null, callback?: Callback<void>): Promised<void, P>;

  /** Keeps new workers away from this broker. Workers that it runs stay. Resolves when no other broker places workers here any more. */
  cordon(callback?: Callback<void>): Promised<void, P>;
  /** Ends the effect of `cordon()`: new workers can be placed on this broker again. */
  uncordon(callback?: Callback<void>): Promised<void, P>;

  /** `destroy({noRecover: true})`, then `start()`. */
  restart(callback?: Callback<void>): Promised<void, P>;

  /** Replaces `option.secret` for later handshakes. Open connections stay open. */
  setSecret(secret: string | [string] | [string, string]): void;

  /** Replaces the certificates of `option.tls` for later handshakes. Open connections stay open. */
  setSecureContext(tls: TlsOptions): void;
  
  /** Releases a worker from quarantine: it is recovered at once. The result is `false` if no worker with this id was in quarantine. */
  release(id: string, callback?: Callback<boolean>): Promised<boolean, P>;

  /** Lists the brokers of the namespace, sorted by id. The list includes brokers whose lease has expired and that have not been evicted yet. */
  listBrokers(callback?: Callback<BrokerInfo[]>): Promised<BrokerInfo[], P>;

  /**
   * Lists the workers of the namespace, without activating any. A worker that exists during the whole iteration is listed once, even if it
   * moves meanwhile.
   */
  listWorkers(option?: (ListOptions & { limit?: null; cursor?: null }) | null): AsyncIterableIterator<WorkerInfo>;
  /** Returns one page of the list. Other than the iteration, pages may repeat a worker. */
  listWorkers(option: ListOptions & ({ limit: number } | { cursor: string }), callback?: Callback<WorkerPage>): Promised<WorkerPage, P>;

  /** Returns one worker with its attributes, without activating it; `null` if no worker has this id. */
  inspect(id: string, callback?: Callback<InspectedWorker | null>): Promised<InspectedWorker | null, P>;

  /** Makes every broker of the namespace call `restart()`. It does not wait for them. */
  restartAll(): void;

  /**
   * Closes the Redis connections and calls `quit()` on the client objects of the application. After `destroy()` and `quit()` the broker does not
   * keep the process alive. On an ACTIVE broker, `quit()` only closes the client objects and logs a warning.
   */
  quit(): void;

  /** Calls `destroy()`, if the state allows it, and `quit()`. */
  [Symbol.asyncDispose](): Promise<void>;

  on<E extends keyof BrokerEvents>(event: E, listener: (...args: BrokerEvents[E]) => void): this;
  once<E extends keyof BrokerEvents>(event: E, listener: (...args: BrokerEvents[E]) => void): this;
  off<E extends keyof BrokerEvents>(event: E, listener: (...args: BrokerEvents[E]) => void): this;
  addListener<E extends keyof BrokerEvents>(event: E, listener: (...args: BrokerEvents[E]) => void): this;
  removeListener<E extends keyof BrokerEvents>(event: E, listener: (...args: BrokerEvents[E]) => void): this;
  prependListener<E extends keyof BrokerEvents>(event: E, listener: (...args: BrokerEvents[E]) => void): this;
  prependOnceListener<E extends keyof BrokerEvents>(event: E, listener: (...args: BrokerEvents[E]) => void): this;
}

/** A broker in the result of `broker.listBrokers()`. */
export interface BrokerInfo {
  id: string;
  /** Identifies one life of a broker, which begins with `start()`: 32 hexadecimal digits. */
  incarnation: string;
  cluster: string;
  /** The address at which other brokers reach it: `host:port`. */
  address: string;
  /** The names of the worker classes of its cluster that are registered at it. */
  classes: string[];
  /** The sum of the loads of its workers. */
  load: number;
  /** The number of its workers. */
  workers: number;
  /** In ms, on the clock of Redis. Negative if the lease has expired. */
  leaseExpiresIn: number;
  /** `true` if it gets no new workers, because it is cordoned or leaving, or because its event loop is blocked. */
  cordoned: boolean;
  /** The version of dworker that it runs. */
  version: string;
  /** The host name of its machine. */
  host: string;
  pid: number;
}

/** `placing`: reserved on a broker that has not activated it yet. `pending`: waiting to be recovered. `asleep`: its next message wakes it. `quarantined`: held back until `release(id)`. */
export type WorkerState = 'placing' | 'active' | 'pending' | 'asleep' | 'quarantined';

/** A worker in the result of `broker.listWorkers()`. */
export interface WorkerInfo {
  id: string;
  class: string;
  cluster: string;
  /** The id of its broker; `null` if it has none, or if that broker's record no longer exists. */
  broker: string | null;
  /** As `worker.epoch`. */
  epoch: string;
  state: WorkerState;
  /** Why it has no broker; only in the states `pending` and `quarantined`. */
  reason?: string;
  /** When it was created, in ms since 1970. */
  createdAt: number;
  load: number;
  recoverable: boolean;
}

/** The result of `broker.inspect()`. */
export interface InspectedWorker extends WorkerInfo {
  attributes: { [name: string]: any };
}

/** A page of the list of workers. */
export interface WorkerPage {
  /** At most `limit` workers. A page may have fewer, or none, even if more pages follow. */
  workers: WorkerInfo[];
  /** The cursor of the next page; absent in the last page. */
  cursor?: string;
}

/** Selects the workers that `broker.listWorkers()` lists. */
export interface ListOptions {
  /** Only workers of the class that is registered under this name. */
  name?: string | null;
  /** Only workers of this cluster. */
  clustername?: string | null;
  /** Only workers of the broker with this id. */
  broker?: string | null;
  /** Only workers in this state. */
  state?: WorkerState | null;
  /** The method returns one page of at most this many workers (1 to 10 000), instead of an iterable of all workers. */
  limit?: number | null;
  /** The `cursor` of the previous page. */
  cursor?: string | null;
}

export interface CreateInfo {
  /** One of `Worker.CreateCause`. */
  cause: 0 | 1 | 2 | 3;
  /** As `worker.epoch`. Not enumerable. */
  readonly epoch: string;
  /** The number of this attempt since an `onCreate` of the worker last settled: more than 1 if processes ended during earlier attempts. Not enumerable. */
  readonly attempt: number;
  /** The worker begins anew, and Redis lost its data while this broker was up: it may have had data that is lost. Not enumerable. */
  readonly afterWipe: boolean;
}

/** `static data` of a worker class: data of its workers that outlives the process. See docs/reference/data.md. */
export interface DataDeclaration<Data = any> {
  /** Of the shape of the data: an integer from 0. */
  version: number;
  /** The first value. */
  initial(): Data;
  /** Makes data of this version from what version `from` of the class stored. Without it, data of another version cannot be read. */
  migrate?(data: any, from: number): Data;
  /**
   * `'gate'`: answers and messages of the worker wait while a change is not stored. `'behind'`: changes are stored within `flush` ms.
   * `'manual'`: only `worker.save()` stores. Default: `'gate'`.
   */
  save?: 'gate' | 'behind' | 'manual';
  /** ms, for `'behind'`. Default: 200. */
  flush?: number;
  /** The data is not frozen, and compared when a handler ends. Default: `false`. */
  mutable?: boolean;
  /** Bytes of JSON that the data takes at most. Default: 1048576; never more than `option.maxMessageBytes`. */
  maxBytes?: number;
}

/** While it is not released, its worker does not leave memory. With `using` it is released at the end of the block. */
export interface KeepAwake extends Disposable {
  /** A second call does nothing. */
  release(): void;
}

/** A number of ms, or a whole number with a unit: `'500ms'`, `'30s'`, `'10m'`, `'2h'`, `'7d'`. */
export type Duration = number | `${bigint}${'ms' | 's' | 'm' | 'h' | 'd'}`;

/** See [Timers](docs/reference/timers.md). */
export interface TimerOptions {
  /** Names the timer within its worker. A new timer replaces the one with the same key. Default: a free one. */
  key?: string;
  /** Which of the times that were missed it fires for: only the last (the default), all of them, or none. */
  catchUp?: 'last' | 'all' | 'skip';
  /** How many more attempts are made after one that failed. Default: 5. */
  retries?: number;
  /** Of a cron expression: an IANA time zone. Default: UTC. */
  timezone?: string;
}

/** A timer as `worker.schedule.list()` shows it. */
export interface Timer {
  key: string;
  method: string;
  data: any;
  /** When it fires next, or tries again, in ms since 1970. */
  time: number;
  /** Attempts of the firing that is under way, or failed; 0 before the first. */
  attempt: number;
  /** Of one that fires again and again: between two times, in ms. */
  every: number | undefined;
  /** Of one that has a cron expression; and its time zone. */
  cron: string | undefined;
  timezone: string | undefined;
}

/** The firing of a timer, as `onTimer` is given it. */
export interface Firing {
  key: string;
  /** The time that it was due, in ms since 1970 on the server's clock. */
  scheduledAt: number;
  /** 1, or more where an earlier attempt failed or its process ended. */
  attempt: number;
}

/** The timers of a worker. Each promise is fulfilled when the change is stored. */
export interface Schedule<P = 'bluebird'> {
  /** Fires once, when this duration is over. Fulfilled with the key. */
  after(delay: Duration, method: string, data?: any, option?: TimerOptions | null, callback?: Callback<string>): Promised<string, P>;
  /** Fires once, at this time; at once, where that has passed. */
  at(time: Date | number, method: string, data?: any, option?: TimerOptions | null, callback?: Callback<string>): Promised<string, P>;
  /** Fires again and again, for the first time when this duration is over. */
  every(interval: Duration, method: string, data?: any, option?: TimerOptions | null, callback?: Callback<string>): Promised<string, P>;
  /** Fires at the times of a cron expression of five fields, or six with seconds in front. */
  cron(expression: string, method: string, data?: any, option?: TimerOptions | null, callback?: Callback<string>): Promised<string, P>;
  /** All timers, the next one first. */
  list(callback?: Callback<Timer[]>): Promised<Timer[], P>;
  /** Fulfilled with whether there was a timer of this key. */
  cancel(key: string, callback?: Callback<boolean>): Promised<boolean, P>;
}

/** The call that is being handled. */
export interface CallContext {
  /** How long the caller waits for the answer, comparable with `Date.now()`; `Infinity` for a tell. */
  readonly deadline: number;
  /**
   * Aborts when the caller no longer waits for the answer (timeout, abort, lost connection), and when this broker is suspended.
   */
  readonly signal: AbortSignal;
  /** The id of the broker that sent the message; `undefined` if its connection has ended. */
  readonly callerBroker: string | undefined;
}

export interface DestroyInfo {
  /** One of `Worker.DestroyCause`. */
  cause: 0 | 1 | 2 | 3 | 4;
}

/**
 * The base class of all workers. Brokers construct workers; the application never does.
 *
 * A handler may return a promise, any thenable or a plain value, or call its callback; the first of them counts. If a handler that declares the callback
 * returns `undefined`, dworker waits for the callback.
 */
export class Worker<Attributes = any, Data = any> {
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
   * The call that is being handled. It is available in the handler and in everything that the handler calls, across `await` and the promises of this package.
   * `undefined` outside of handlers, and after the answer.
   */
  static context(): CallContext | undefined;
  /** `'serial'`: a worker gets its next message when the handler of the previous one has settled. Default: `'parallel'`. */
  static concurrency?: Concurrency;
  /** Maximum number of messages that wait for a serial worker. Further asks fail with `DW_ERR_OVERLOADED`. Default: 10000. */
  static maxQueue?: number;
  /** How messages to workers of this class, and their answers, are encoded. Values other than a {@link Codec} have no effect. Default: `option.codec`. */
  static codec?: unknown;
  /**
   * Where it is a {@link Duration}: a worker that handles no message for so long ends with the cause `IDLE`, and is asleep until its next
   * message. Any other value is without effect.
   */
  static idle?: unknown;
  static classname?: string;
  static clustername?: string;
  static agent?: new (id: string, broker: Broker<any>) => Agent<any, any>;

  constructor(id: string, broker: Broker<any>, attributes?: Attributes);

  readonly id: string;
  /** One of `Worker.State`. */
  readonly state: 0 | 1 | 2 | 3 | 4;
  /** The attributes that the worker was created with, and `static`. */
  readonly attributes: Attributes & { static: boolean };
  /** A string of digits. Each activation of this id has a greater epoch than the activations before it: use it as a fencing token. */
  readonly epoch: string;
  /** The broker that the worker runs on. A class may define its own property of this name. */
  readonly broker: Broker<any>;
  /** What `static data` declares: read it, and assign a new value to change it. `undefined` without; a class may have a property of this name for itself. */
  data: Data;
  /** Rounded down. Negative values are ignored, and so are all values after the worker has ended. Setting it changes `broker.load` at once. */
  load: number;
  /** For workers that were written for dworker 0.9: `br` is the broker. Not enumerable. */
  readonly __priv: { br: Broker<any>; id: string };

  /** Resolves when the changes of `data` so far are stored: `save(callback?: Callback<void>): Promised<void>`. A class may have a method of this name for itself. */
  save(...args: any[]): any;
  /** `data`, where it is mutable, was changed in place outside of a handler: `touch(): void`. A class may have a method of this name for itself. */
  touch(...args: any[]): any;

  /** Ends this worker; if its `onCreate` is still running, after that has settled. A second call has no effect. */
  destroy(option?: DestroyOptions | null): void;

  /** Its timers, which outlive the process. A class may define its own property of this name. */
  readonly schedule: Schedule;

  /** Keeps this worker in memory, however long it is idle, until the returned object is released. */
  keepAwake(): KeepAwake;

  /** To override: called once, after construction. If it rejects, the failure is reported by events and the worker is active nevertheless. */
  onCreate(info: CreateInfo, callback?: Callback<void>): any;
  /** To override: called for each ask. By default it calls the method that `static methods` declares, else it rejects with "Not implemented". */
  onAsk(method: string, data: any, callback?: Callback<any>): any;
  /** To override: called for each tell. A failure is reported by the events `'log'` and `'workerError'`. */
  onTell(method: string, data: any): any;
  /** To override: called for each timer that is due. Base: calls `onTell(method, data)`. If it fails, it is tried again. */
  onTimer(method: string, data: any, fire: Firing): any;
  /** To override: called once, before the worker ends. A failure is reported by events and ignored. */
  onDestroy(info: DestroyInfo, callback?: Callback<void>): any;
}

/** A handle for a worker, wherever that runs. The messages of one broker to one worker are handled in the order in which they were sent. */
export class Agent<C = any, P = 'bluebird'> {
  /** Contacts no other broker and needs no registered class. */
  constructor(id: string, broker: Broker<any>);

  /** The id of the worker. */
  readonly id: string;

  /**
   * Sends a message and waits for the handler's answer, for at most `rpcTimeout`. The receiver gets a copy of `data`, encoded as `option.codec` says. If a handler sends the ask,
   * the ask also ends when the call that is being handled ends.
   */
  ask<T = any>(method: string, data?: any, callback?: Callback<T>): Promised<T, P>;
  ask<T = any>(method: string, data?: any, option?: AskOptions | null, callback?: Callback<T>): Promised<T, P>;

  /** Sends a message without an answer. Resolves when it has been handed to the transport. A rejection that nothing handles causes no `unhandledRejection`. */
  tell(method: string, data?: any, callback?: Callback<void>): Promised<void, P>;

  /**
   * Ends the worker permanently, wherever it runs, after it has got the messages that this broker sent it earlier. A worker that is asleep is deleted
   * without being activated. Resolves when the worker no longer exists, also if no worker had this id.
   */
  destroy(callback?: Callback<void>): Promised<void, P>;

  /** Functions that send asks: `agent.call.add(data)` is `agent.ask('add', data)`. */
  readonly call: Calls<C, P>;
  /** Functions that send tells: `agent.send.add(data)` is `agent.tell('add', data)`. */
  readonly send: Sends<C, P>;
  /** Returns an agent of the same worker that uses these options as defaults for its asks. */
  with(option: AskOptions): this;
}

export interface RouterOptions {
  /** A connection is closed after it was idle for this long; in ms, 0: never. Default: 30000. */
  socTimeout?: number;
}

/** Sends requests and responses between two addresses, without a broker and without Redis. It authenticates no one and encrypts nothing. */
export class Router extends EventEmitter {
  constructor(option?: RouterOptions);

  /** Listens on a free port of `host`. Default: `'0.0.0.0'`. */
  listen(callback?: Callback<{ address: string; port: number }>): Answer<{ address: string; port: number }>;
  listen(
    host?: string | null,
    callback?: Callback<{ address: string; port: number }>
  ): Answer<{ address: string; port: number }>;

  /** Sends a request. Resolves when the request has been written. */
  request(address: { host: string; port: number }, data?: any, callback?: Callback<void>): Answer<void>;

  /** Sends a response on the connection that the request arrived on. */
  respond(requesterId: number, data?: any, callback?: Callback<void>): Answer<void>;

  close(): void;

  on(event: 'request', listener: (data: any, requesterId: number) => void): this;
  on(event: 'response', listener: (data: any) => void): this;
  on(event: 'disconnect', listener: (address: { host: string; port: number }) => void): this;
  on(event: 'log', listener: (event: Omit<LogEvent, 'id'>) => void): this;
  on(event: string | symbol, listener: (...args: any[]) => void): this;
}
