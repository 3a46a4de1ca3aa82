/**
 * Every option of the package: its name, check, default and description.
 *
 * The checks (lib/options/read.js), the search for misspelt names (lib/options/unknown.js), the reference page and the test
 * of the types (scripts/options.js) are all made from these tables. An option is
 * - `check` and `default`, with `form` and `type` taken from the check, or
 * - a `group` of options, which `whole` checks together, or
 * - `apart`: read by a module of its own, so the entry states its `form` and `type` itself.
 *
 * A default may be a function of the earlier options of its group. `field` is the name in the configuration of the core, if that differs.
 * `shown` is the default on the reference page, if the value itself is not clear enough.
 */
'use strict';

const { boolean, credential, database, host, integer, label, milliseconds, oneOf, orNone, port, portOrFree, seconds, socketPath } = require('./checks');
const { DEFAULT_RENEW, checkLease } = require('./lease');
const { NAME_BYTES } = require('./arguments');
const { LIMIT } = require('../protocol');

/** The size of the queue to one peer: a larger message could never be sent. */
const LARGEST_MESSAGE_LIMIT = 64 * 1024 * 1024;
const SMALLEST_MESSAGE_LIMIT = 1024;
/** Linux gives a process 1 048 576 file descriptors at most (`fs.nr_open`), and a peer takes four. */
const LARGEST_PEER_LIMIT = 262144;
/** ms that an event loop may be blocked before no new workers are placed on its broker. */
const SEEN_STALLED = 2000;
/** ms */
const LONGEST_PAUSE = 800;
const UNLIMITED = Number.MAX_SAFE_INTEGER;
const PEM = 'string | Uint8Array | (string | Uint8Array)[]';

const BROKER = {
  ns: { check: label, default: 'dw', text: 'Namespace of all keys and channels in Redis. Brokers of different namespaces are independent of each other.' },
  clustername: {
    check: label,
    default: 'main',
    text: 'The cluster of this broker. It runs only workers of classes that belong to this cluster. A broker whose cluster differs from that of all classes runs no workers: it is a pure client.',
  },
  redis: {
    apart: true,
    form: 'URL or object',
    type: 'string | URL | RedisOptions | null',
    shown: '`DWORKER_REDIS_URL`, else `127.0.0.1:6379`',
    text: 'The server that stores the state of the namespace. See [the fields of the object](#optionredis) and [Redis](redis.md).',
  },
  listen: {
    group: {
      host: { check: orNone(host), default: null, shown: 'the local address of the connection to Redis', text: 'Address on which this broker listens for connections from other brokers.' },
      port: { check: orNone(portOrFree), default: null, shown: 'a free port', text: 'Port on which this broker listens. 0 means any free port. If the port is in use, `start()` retries for up to 6 s, so that a process manager may start the new process before the old one has ended.' },
    },
    type: 'Address | null',
    none: true,
  },
  advertise: {
    group: {
      host: { check: orNone(host), default: null, shown: 'the address listened on', text: "Address that other brokers connect to. Set it if the broker is behind NAT. If `listen.host` is `'0.0.0.0'` or `'::'`, the default is the local address of the connection to Redis." },
      port: { check: orNone(port), default: null, shown: 'the port listened on', text: 'Port that other brokers connect to.' },
    },
    type: 'Address | null',
    none: true,
  },
  rpcTimeout: {
    check: milliseconds(1),
    default: 3000,
    text: 'Deadline of an ask, counted from the call and including all retries. Also how long `createWorker()` waits for `onCreate`.',
  },
  retries: {
    group: {
      initialInterval: { check: milliseconds(1), default: 40, text: 'First pause before a message that was **not delivered** is sent again. Each further pause is twice as long.' },
      maxInterval: {
        check: milliseconds(1),
        // An application may set a first pause above the usual limit without setting the limit.
        default: ({ initialInterval }) => Math.max(LONGEST_PAUSE, initialInterval),
        shown: `\`${LONGEST_PAUSE}\``,
        text: 'Longest such pause. The default is never less than `retries.initialInterval`.',
      },
      duration: { check: milliseconds(0), default: 2000, text: 'How long `tell()`, `findWorker()` and `createWorker()` look for a broker that runs the worker. Also how long a call retries after a broker refused the handshake, because that broker may be about to get a new secret.' },
    },
  },
  ttl: { check: milliseconds(0, UNLIMITED), default: 0, shown: '`0`: no limit', text: 'If a worker was created longer ago than this, this broker does not recover it: the worker is deleted, or [asleep](lasting.md#asleep) if `get()` created it.' },
  brokerCache: {
    field: 'routes',
    group: {
      max: { check: integer(1, UNLIMITED), default: 1000, text: 'How many routes (worker id → broker) the broker remembers. It remembers routes that were used in the last 5 s beyond this limit.' },
      maxAge: { check: milliseconds(1), default: 30000, text: 'The broker forgets a route that was not used for this long.' },
    },
  },
  socTimeout: { field: 'socketTimeout', check: milliseconds(0), default: 15000, text: 'A connection between brokers is closed after it was idle for this long; 0: never. The control connection to the same broker is closed one or two seconds later.' },
  maxPeers: { check: integer(1, LARGEST_PEER_LIMIT), default: 4096, text: 'Maximum number of other brokers that this broker is connected to at the same time. Each broker counts once, whichever side connected. It takes up to four file descriptors. At 80 % of the limit a warning is logged. At the limit, connections to further brokers are refused with `DW_ERR_OVERLOADED`; open connections are not affected.' },
  sockets: {
    apart: true,
    check: oneOf('loop', 'task'),
    default: 'loop',
    shown: "`DWORKER_SOCKETS`, else `'loop'`",
    text: "Which threads read and write the sockets that carry messages. `'loop'`: Node's event loop, which has the lowest latency. `'task'`: threads of dworker. Encrypted connections, and all connections in runtimes other than Node, always use `'task'`. See [Performance](../performance.md).",
  },
  localSockets: {
    check: boolean,
    default: true,
    text: 'Whether brokers in the same network namespace of a Linux host reach each other over a Unix socket instead of TCP. Both brokers must allow it. It has no effect with `tls`, nor for a broker that sets `advertise`. See [Security](../security.md#where-brokers-connect).',
  },
  healthCheckInterval: {
    check: seconds(0),
    default: 1000,
    shown: '`1`',
    text: 'How often this broker looks for dead brokers; 0: never. A random part of up to a half is added to each interval, so that brokers do not all look at the same time.',
  },
  lease: {
    group: {
      ttl: { check: milliseconds(1), default: 5000, text: 'How long the lease is valid after a renewal. Must be at least 2 × `lease.renew` + 1000.' },
      renew: { check: milliseconds(1), default: DEFAULT_RENEW, text: 'How often this broker renews its lease.' },
      strict: { check: boolean, default: false, text: '`true`: a broker counts as dead only when its lease has expired, not when its process is proven dead. This applies to this broker as others (and the next `start()` with its id) see it, and to other brokers as this one sees them.' },
    },
    whole: checkLease,
  },
  onRedisLoss: {
    check: oneOf('suspend', 'serve'),
    default: 'suspend',
    text: "What the broker does if it cannot renew its lease in time. `'suspend'`: its workers get no messages until Redis answers. `'serve'`: they continue. See [Redis goes away for a while](../operations.md#what-happens-when-).",
  },
  stall: {
    group: {
      after: { check: milliseconds(SEEN_STALLED), default: 30000, text: 'When the event loop has been blocked for this long, `stall.action` is taken. After 2 s already, no new workers are placed on the broker.' },
      action: { check: oneOf('report', 'abort'), default: 'report', text: "`'report'`: the broker logs an error. `'abort'`: the process is aborted, with a message on stderr." },
    },
  },
  maxMessageBytes: { check: integer(SMALLEST_MESSAGE_LIMIT, LARGEST_MESSAGE_LIMIT), default: 16 * 1024 * 1024, text: 'Maximum size of a message in bytes. Set the same value on all brokers.' },
  codec: {
    apart: true,
    check: oneOf('json', 'structured'),
    default: 'json',
    shown: "`'json'`",
    text: 'How this broker encodes the data that it sends and the answers of its workers. A class can set its own `codec`. See [Payloads](payloads.md).',
  },
  destroyTimeout: { check: milliseconds(1), default: 5000, text: 'How long `destroy()` of a broker or of a worker waits for `onDestroy`.' },
  remoteStack: {
    apart: true,
    form: 'boolean',
    type: 'boolean',
    shown: '`true`',
    text: 'Whether errors of handlers on this broker are sent with their stack (`error.remoteStack`). Stacks name source files: use `false` if callers must not see them.',
  },
  secret: {
    apart: true,
    form: 'string of 16 to 1024 characters, or `[new, old]`',
    type: 'string | [string] | [string, string] | null',
    shown: "`DWORKER_SECRET`, else the namespace's own",
    text: "The secret that brokers prove to know before they accept each other's messages. See [Security](../security.md#the-secret).",
  },
  tls: {
    apart: true,
    form: '`{key, cert, ca}`: PEM in strings or Buffers',
    type: 'TlsOptions | null',
    shown: 'none',
    text: 'Mutual TLS 1.3 between brokers. Set it on all brokers or on none. See [Security](../security.md#tls-between-brokers).',
  },
  promise: {
    apart: true,
    form: "`'bluebird'`, `'native'` or a constructor",
    type: "'bluebird' | 'native' | PromiseConstructorLike",
    shown: "`'bluebird'`",
    text: 'The kind of promises that methods of this broker and its agents return.',
  },
  log: {
    apart: true,
    form: '`false`, a function or a logger',
    type: 'false | Logger | ((event: LogEvent) => void)',
    shown: 'none',
    text: "A function is a listener for `'log'` that gets all lines from the start. A logger, such as Pino, gets [lines with fields](events.md#logs-with-fields). If `'log'` has no listener, mistakes such as a misspelt option or a failed tell are reported once each by `process.emitWarning()`; `false` turns that off.",
  },
  batchReadSize: { apart: true, form: 'anything', type: 'number', shown: 'none', text: 'Accepted for compatibility with dworker 0.9. It has no effect.' },
};

/** lib/options/redis.js reads them all, because which of them may be combined depends on the others. */
const REDIS = {
  url: { apart: true, form: '[URL](redis.md)', type: 'string | URL | null', shown: 'none', text: 'The URL of the server. It replaces `host`, `port`, `path`, `nodes` and `sentinels`.' },
  host: { check: orNone(host), default: '127.0.0.1', text: 'Host of the server.' },
  port: { check: orNone(port), default: 6379, text: 'Port of the server.' },
  path: { check: orNone(socketPath), default: null, shown: 'none', text: 'Path of a Unix socket, instead of `host` and `port`.' },
  username: { check: orNone(credential), default: null, shown: 'none', text: 'User name on the server. Overrides the one in the URL.' },
  password: { check: orNone(credential), default: null, shown: 'none', text: 'Password of that user. Overrides the one in the URL.' },
  db: { check: orNone(database), default: 0, text: 'Database number. Overrides the one in the URL.' },
  tls: { apart: true, form: 'boolean or object', type: 'boolean | RedisTlsOptions | null', shown: '`false`', text: '[TLS to the server](redis.md#tls-to-redis): `true`, or `{ca, cert, key, passphrase, servername, rejectUnauthorized}`.' },
  nodes: {
    apart: true,
    form: 'array of `{host, port}`',
    type: '{ host: string; port?: number | string | null }[] | null',
    shown: 'none',
    text: 'Nodes of a [Redis Cluster](redis.md#redis-cluster), instead of `host` and `port`. The default port is 6379.',
  },
  sentinels: {
    apart: true,
    form: 'array of `{host, port}`',
    type: '{ host: string; port?: number | string | null }[] | null',
    shown: 'none',
    text: 'All [sentinels](redis.md#redis-sentinel) that monitor the server. The default port is 26379.',
  },
  name: { apart: true, form: 'string', type: 'string | null', shown: 'none', text: 'Name of the master in the configuration of the sentinels.' },
  sentinelUsername: { check: orNone(credential), default: null, shown: 'none', text: 'User name on the sentinels.' },
  sentinelPassword: { check: orNone(credential), default: null, shown: 'none', text: 'Password of that user.' },
  sentinelTls: { apart: true, form: 'boolean or object', type: 'boolean | RedisTlsOptions | null', shown: 'as `tls`', text: 'TLS to the sentinels.' },
  cluster: { check: boolean, apart: true, type: 'boolean | null', shown: 'none', text: 'Declares that the server is a node of a [Redis Cluster](redis.md#redis-cluster). It only checks that `db` is 0; redirects are always followed.' },
  pub: { apart: true, form: 'client object', type: 'object | null', shown: 'none', text: 'A client object of the application (`redis` 0.12 to 6, `ioredis` 5 and 6). The broker uses its address, user name and password. `broker.quit()` also calls `quit()` on it.' },
  sub: { apart: true, form: 'client object', type: 'object | null', shown: 'none', text: 'Like `pub`. Both must be connected to the same server.' },
};

const REDIS_TLS = {
  ca: { apart: true, form: 'PEM', type: PEM, shown: 'the authorities that Node trusts', text: 'Certificate authorities that are accepted for the certificate of the server.' },
  cert: { apart: true, form: 'PEM', type: PEM, shown: 'none', text: 'Client certificate, for servers that require one.' },
  key: { apart: true, form: 'PEM or `KeyObject`', type: 'string | Uint8Array | KeyObject', shown: 'none', text: 'Private key of the client certificate.' },
  passphrase: { apart: true, form: 'string', type: 'string', shown: 'none', text: 'Passphrase of the key, if it is encrypted.' },
  servername: { apart: true, form: 'host name', type: 'string', shown: 'the host', text: 'The name that the certificate of the server must have.' },
  rejectUnauthorized: { apart: true, form: 'boolean', type: 'boolean', shown: '`true`', text: '`false`: the certificate of the server is not checked.' },
};

const CREATE = {
  id: { apart: true, form: `string, at most ${LIMIT.ID_BYTES} bytes`, type: 'string | null', shown: 'the class name if `static`, else `Name#n`', text: '`n` counts from 1 in each namespace and for each class name. Ids that are in use are skipped.' },
  static: { apart: true, form: 'boolean', type: 'boolean', shown: '`false`', text: '`true`: there is one worker of this class in the namespace, and its id is the class name.' },
  attributes: {
    apart: true,
    form: 'object, at most 64 KiB as JSON',
    type: '{ recoverable?: boolean; [name: string]: any } | null',
    shown: '`{}`',
    text: 'The worker gets a copy, with the boolean `static` added. `attributes.recoverable: true` makes the worker [recoverable](worker.md#recovery).',
  },
};

const GET = {
  attributes: { apart: true, form: 'object, at most 64 KiB as JSON', type: '{ recoverable?: boolean; [name: string]: any } | null', shown: '`{}`', text: 'As for `createWorker`. They are used if a message of this agent creates the worker.' },
  clustername: { apart: true, form: 'string, at most 256 bytes', type: 'string', shown: 'that of the class', text: 'The cluster of the class. Required if the class is not registered at this broker.' },
};

const ASK = {
  timeout: { apart: true, form: 'ms, at least 1', type: 'number', shown: '`rpcTimeout`', text: 'How long this ask waits for its answer.' },
  signal: { apart: true, form: '`AbortSignal`', type: 'AbortSignal', shown: 'none', text: 'Ends the ask with `DW_ERR_ABORTED` when it aborts.' },
};

const DESTROY = {
  noRecover: { apart: true, form: 'boolean', type: 'boolean', shown: '`false` for a broker, `true` for a worker', text: 'For a broker, `true`: no worker is handed over. For a worker, `false`: a recoverable worker is created again on a broker of its cluster.' },
};

const TIMER = {
  key: { apart: true, form: 'string, at most 256 bytes', type: 'string', shown: 'a free one', text: 'Names the timer within its worker. A new timer replaces the one with the same key.' },
  catchUp: { apart: true, form: "`'last'`, `'all'` or `'skip'`", type: "'last' | 'all' | 'skip'", shown: "`'last'`", text: 'Which of the times that were missed it fires for: only the last, all of them, or none.' },
  retries: { apart: true, form: 'integer, at least 0', type: 'number', shown: '5', text: 'How many more attempts are made after one that failed.' },
  timezone: { apart: true, form: 'IANA time zone', type: 'string', shown: '`UTC`', text: 'Of a cron expression.' },
};

const LIST = {
  name: { apart: true, form: 'string', type: 'string | null', shown: 'all', text: 'Only workers of the class that is registered under this name.' },
  clustername: { apart: true, form: 'string', type: 'string | null', shown: 'all', text: 'Only workers of this cluster.' },
  broker: { apart: true, form: 'string', type: 'string | null', shown: 'all', text: 'Only workers of the broker with this id.' },
  state: { apart: true, form: "`'placing'`, `'active'`, `'pending'`, `'asleep'` or `'quarantined'`", type: 'WorkerState | null', shown: 'all', text: 'Only workers in this [state](broker.md#looking-at-the-cluster).' },
  limit: { apart: true, form: '1 to 10 000', type: 'number | null', shown: 'none', text: 'The method returns one page of at most this many workers, instead of an iterable of all workers. A page may have fewer workers, or none, even if more pages follow.' },
  cursor: { apart: true, form: 'string', type: 'string | null', shown: 'none', text: 'The `cursor` of the previous page.' },
};

const REGISTER = {
  clustername: { apart: true, form: `string, at most ${NAME_BYTES} bytes`, type: 'string', shown: "`ctor.clustername`, else `'main'`", text: 'The cluster in which workers of this class run.' },
};

const ROUTER = {
  socTimeout: { check: milliseconds(0), default: 30000, text: 'A connection is closed after it was idle for this long; 0: never.' },
};

module.exports = { BROKER, REDIS, REDIS_TLS, CREATE, GET, ASK, DESTROY, LIST, REGISTER, ROUTER, TIMER };
