/**
 * Every option that the package takes: its name, check, default and description.
 *
 * The checks (lib/options/read.js), the search for misspelt names (lib/options/unknown.js), the reference page and the test
 * of the types (scripts/options.js) are all made from these tables. An option is
 * - `check` and `default`, with `form` and `type` taken from the check, or
 * - a `group` of options, which `whole` checks together, or
 * - `apart`: read by a module of its own, so it says its `form` and `type` itself.
 *
 * A default may be a function of the options before it in its group. `field` is the name in the core's configuration where that is another one; `shown` is the default on the reference page where
 * the value itself says too little.
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
/** A broker gets no new workers once its thread stood still this long; that is reported later. */
const SEEN_STALLED = 2000;
/** ms */
const LONGEST_PAUSE = 800;
const UNLIMITED = Number.MAX_SAFE_INTEGER;
const PEM = 'string | Uint8Array | (string | Uint8Array)[]';

const BROKER = {
  ns: { check: label, default: 'dw', text: 'Namespace of all keys and channels in Redis. Brokers of different namespaces know nothing of each other.' },
  clustername: {
    check: label,
    default: 'main',
    text: 'The cluster of this broker. It runs only workers of classes that belong to this cluster. A broker whose cluster has no classes runs no workers: it is a pure client.',
  },
  redis: {
    apart: true,
    form: 'URL or object',
    type: 'string | URL | RedisOptions | null',
    shown: '`DWORKER_REDIS_URL`, else `127.0.0.1:6379`',
    text: "Where the cluster's state is kept. See [the fields of the object](#optionredis) and [Redis](redis.md).",
  },
  listen: {
    group: {
      host: { check: orNone(host), default: null, shown: 'the local address of the connection to Redis', text: 'Address on which this broker listens for other brokers.' },
      port: { check: orNone(portOrFree), default: null, shown: 'a free port', text: 'Port on which this broker listens; 0 is a free one. A port that is taken is tried again for 6 s, so that a process manager may start the new process before the old one has left.' },
    },
    type: 'Address | null',
    none: true,
  },
  advertise: {
    group: {
      host: { check: orNone(host), default: null, shown: 'the address listened on', text: "Address that other brokers connect to. Set it behind NAT. When `listen.host` is `'0.0.0.0'` or `'::'`, the default is the local address of the connection to Redis." },
      port: { check: orNone(port), default: null, shown: 'the port listened on', text: 'Port that other brokers connect to.' },
    },
    type: 'Address | null',
    none: true,
  },
  rpcTimeout: {
    check: milliseconds(1),
    default: 3000,
    text: 'Deadline of an ask, counted from the call and including retries. Also how long `createWorker()` waits for `onCreate`.',
  },
  retries: {
    group: {
      initialInterval: { check: milliseconds(1), default: 40, text: 'First pause before a message that was **not delivered** is sent again. The pause doubles.' },
      maxInterval: {
        check: milliseconds(1),
        // A first pause beyond the usual limit is no mistake of an application that gives it alone.
        default: ({ initialInterval }) => Math.max(LONGEST_PAUSE, initialInterval),
        shown: `\`${LONGEST_PAUSE}\``,
        text: 'Longest such pause. Where it is not given, it is at least `retries.initialInterval`.',
      },
      duration: { check: milliseconds(0), default: 2000, text: 'How long `tell()`, `findWorker()` and `createWorker()` look for a route. Also how long a call goes on after a broker first refused the handshake: that broker may be about to learn a new secret.' },
    },
  },
  ttl: { check: milliseconds(0, UNLIMITED), default: 0, shown: '`0`: no limit', text: 'A worker that was created longer ago than this is not recovered by this broker: it is deleted.' },
  brokerCache: {
    field: 'routes',
    group: {
      max: { check: integer(1, UNLIMITED), default: 1000, text: 'How many routes (worker id → broker) are kept. Routes used in the last 5 s are kept beyond it.' },
      maxAge: { check: milliseconds(1), default: 30000, text: 'A route that was not used for this long is forgotten.' },
    },
  },
  socTimeout: { field: 'socketTimeout', check: milliseconds(0), default: 15000, text: 'An idle connection between brokers is closed after this; 0: never. The connection that watches the other broker follows within a second or two.' },
  maxPeers: { check: integer(1, LARGEST_PEER_LIMIT), default: 4096, text: 'How many other brokers this one may be connected to at once. A broker counts once, whichever side connected; where both sides talk it takes four file descriptors. From 80 % on a warning is logged. Beyond the limit, new brokers are refused with `DW_ERR_OVERLOADED` until others have gone; what is connected goes on.' },
  sockets: {
    apart: true,
    check: oneOf('loop', 'task'),
    default: 'loop',
    shown: "`DWORKER_SOCKETS`, else `'loop'`",
    text: "Which threads serve the sockets that carry messages. `'loop'`: Node's own event loop, which answers a single call soonest. `'task'`: threads of dworker. They also serve encrypted connections, and everything where the runtime is not Node. See [Performance](../performance.md).",
  },
  localSockets: {
    check: boolean,
    default: true,
    text: 'Whether brokers in the same network namespace of a Linux host reach each other over a Unix socket instead of TCP. Both brokers must allow it. Without effect with `tls`, and for a broker that sets `advertise`. See [Security](../security.md#where-brokers-connect).',
  },
  healthCheckInterval: {
    check: seconds(0),
    default: 1000,
    shown: '`1`',
    text: 'How often this broker looks for dead brokers; 0: never. Each pause is up to half as long again, so that brokers do not all look at once.',
  },
  lease: {
    group: {
      ttl: { check: milliseconds(1), default: 5000, text: 'How long this broker counts as alive without a renewal. At least 2 × `lease.renew` + 1000.' },
      renew: { check: milliseconds(1), default: DEFAULT_RENEW, text: 'How often it renews its lease.' },
      strict: { check: boolean, default: false, text: 'No broker is treated as dead before its lease has run out: neither this broker by others (or by the next start with its id), nor others by this broker.' },
    },
    whole: checkLease,
  },
  onRedisLoss: {
    check: oneOf('suspend', 'serve'),
    default: 'suspend',
    text: 'What happens when the lease may have run out: workers get no messages until Redis answers, or they go on. See [Redis goes away for a while](../operations.md#what-happens-when-).',
  },
  stall: {
    group: {
      after: { check: milliseconds(SEEN_STALLED), default: 30000, text: 'An event loop that stood still for this long is reported. After 2 s the broker gets no new workers.' },
      action: { check: oneOf('report', 'abort'), default: 'report', text: "`'report'`: an error in `'log'`. `'abort'`: the process ends with a message on stderr." },
    },
  },
  maxMessageBytes: { check: integer(SMALLEST_MESSAGE_LIMIT, LARGEST_MESSAGE_LIMIT), default: 16 * 1024 * 1024, text: 'Largest message in bytes. Set it alike on all brokers.' },
  codec: {
    apart: true,
    check: oneOf('json', 'structured'),
    default: 'json',
    shown: "`'json'`",
    text: 'How this broker encodes the data that it sends, and the answers of its workers. A class can have a `codec` of its own. See [Payloads](payloads.md).',
  },
  destroyTimeout: { check: milliseconds(1), default: 5000, text: 'How long `destroy()` of a broker or of a worker waits for `onDestroy`.' },
  remoteStack: {
    apart: true,
    form: 'boolean',
    type: 'boolean',
    shown: '`true`',
    text: 'Whether the error of an ask carries the stack of the handler on this broker that failed (`error.remoteStack`). It names files of this program: `false` where callers must not see them.',
  },
  secret: {
    apart: true,
    form: 'string of 16 to 1024 characters, or `[new, old]`',
    type: 'string | [string] | [string, string] | null',
    shown: "`DWORKER_SECRET`, else the namespace's own",
    text: 'What brokers prove to each other that they belong together. See [Security](../security.md#the-secret).',
  },
  tls: {
    apart: true,
    form: '`{key, cert, ca}`: PEM in strings or Buffers',
    type: 'TlsOptions | null',
    shown: 'none',
    text: 'Mutual TLS 1.3 between brokers, on all of them or on none. See [Security](../security.md#tls-between-brokers).',
  },
  promise: {
    apart: true,
    form: "`'bluebird'`, `'native'` or a constructor",
    type: "'bluebird' | 'native' | PromiseConstructorLike",
    shown: "`'bluebird'`",
    text: 'The promises that calls of this broker and its agents return.',
  },
  log: {
    apart: true,
    form: '`false`, a function or a logger',
    type: 'false | Logger | ((event: LogEvent) => void)',
    shown: 'none',
    text: "A function is a listener of `'log'` from the first moment on. A logger, as of Pino, gets [lines with fields](events.md#logs-with-fields). Without any listener, mistakes such as a misspelt option or a failing tell are reported once each by `process.emitWarning()`; `false` turns that off.",
  },
  batchReadSize: { apart: true, form: 'anything', type: 'number', shown: 'none', text: 'Accepted because dworker 0.9 took it. It has no effect.' },
};

/** All of them are read by lib/options/redis.js: which of them may be combined depends on the others. */
const REDIS = {
  url: { apart: true, form: '[URL](redis.md)', type: 'string | URL | null', shown: 'none', text: 'Names the server instead of `host`, `port`, `path`, `nodes` and `sentinels`.' },
  host: { check: orNone(host), default: '127.0.0.1', text: 'The server.' },
  port: { check: orNone(port), default: 6379, text: 'Its port.' },
  path: { check: orNone(socketPath), default: null, shown: 'none', text: 'A Unix socket, instead of `host` and `port`.' },
  username: { check: orNone(credential), default: null, shown: 'none', text: 'Account on the server. Goes before the one in a URL.' },
  password: { check: orNone(credential), default: null, shown: 'none', text: 'Its password. Goes before the one in a URL.' },
  db: { check: orNone(database), default: 0, text: 'Database number. Goes before the one in a URL.' },
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
    text: 'The [sentinels](redis.md#redis-sentinel) that name the server, all of them. The default port is 26379.',
  },
  name: { apart: true, form: 'string', type: 'string | null', shown: 'none', text: 'What the sentinels call the master.' },
  sentinelUsername: { check: orNone(credential), default: null, shown: 'none', text: 'Account on the sentinels.' },
  sentinelPassword: { check: orNone(credential), default: null, shown: 'none', text: 'Its password.' },
  sentinelTls: { apart: true, form: 'boolean or object', type: 'boolean | RedisTlsOptions | null', shown: 'as `tls`', text: 'TLS to the sentinels.' },
  cluster: { check: boolean, apart: true, type: 'boolean | null', shown: 'none', text: 'Says that the server is a node of a [Redis Cluster](redis.md#redis-cluster), and so checks that `db` is 0. Redirects are followed without it.' },
  pub: { apart: true, form: 'client object', type: 'object | null', shown: 'none', text: 'A client object of the application (`redis` 0.12 to 6, `ioredis` 5 and 6). Its address and account are taken over; `quit()` of the broker also quits it.' },
  sub: { apart: true, form: 'client object', type: 'object | null', shown: 'none', text: 'As `pub`. Both must be connected to the same server.' },
};

const REDIS_TLS = {
  ca: { apart: true, form: 'PEM', type: PEM, shown: 'what Node trusts', text: 'Authorities that may have signed the certificate of the server.' },
  cert: { apart: true, form: 'PEM', type: PEM, shown: 'none', text: 'Client certificate, for servers that ask for one.' },
  key: { apart: true, form: 'PEM or `KeyObject`', type: 'string | Uint8Array | KeyObject', shown: 'none', text: 'Its private key.' },
  passphrase: { apart: true, form: 'string', type: 'string', shown: 'none', text: 'Of an encrypted key.' },
  servername: { apart: true, form: 'host name', type: 'string', shown: 'the host', text: 'The name in the certificate of the server.' },
  rejectUnauthorized: { apart: true, form: 'boolean', type: 'boolean', shown: '`true`', text: '`false`: the certificate of the server is not checked.' },
};

const CREATE = {
  id: { apart: true, form: `string, at most ${LIMIT.ID_BYTES} bytes`, type: 'string | null', shown: 'the class name if `static`, else `Name#n`', text: '`n` counts from 1 per namespace and class name; ids that are taken are skipped.' },
  static: { apart: true, form: 'boolean', type: 'boolean', shown: '`false`', text: 'One worker of this class in the namespace. Its id is the class name.' },
  attributes: {
    apart: true,
    form: 'object, at most 64 KiB as JSON',
    type: '{ recoverable?: boolean; [name: string]: any } | null',
    shown: '`{}`',
    text: 'The worker sees a copy, with `static` (a boolean) added. `attributes.recoverable: true` makes the worker [recoverable](worker.md#recovery).',
  },
};

const GET = {
  attributes: { apart: true, form: 'object, at most 64 KiB as JSON', type: '{ recoverable?: boolean; [name: string]: any } | null', shown: '`{}`', text: 'As of `createWorker`: what the worker is made with, if this agent makes it.' },
  clustername: { apart: true, form: 'string, at most 256 bytes', type: 'string', shown: 'of the class', text: 'The cluster of the class, where that is not registered at this broker.' },
};

const ASK = {
  timeout: { apart: true, form: 'ms, at least 1', type: 'number', shown: '`rpcTimeout`', text: 'Deadline of this ask.' },
  signal: { apart: true, form: '`AbortSignal`', type: 'AbortSignal', shown: 'none', text: 'Ends the ask with `DW_ERR_ABORTED`.' },
};

const DESTROY = {
  noRecover: { apart: true, form: 'boolean', type: 'boolean', shown: '`false` for a broker, `true` for a worker', text: 'Of a broker: `true` hands no worker over. Of a worker: `false` makes a recoverable worker again on a broker of its cluster.' },
};

const LIST = {
  name: { apart: true, form: 'string', type: 'string | null', shown: 'all', text: 'Workers of the class that is registered under this name.' },
  clustername: { apart: true, form: 'string', type: 'string | null', shown: 'all', text: 'Workers of this cluster.' },
  broker: { apart: true, form: 'string', type: 'string | null', shown: 'all', text: 'Workers that the broker of this id owns.' },
  state: { apart: true, form: "`'placing'`, `'active'`, `'pending'`, `'asleep'` or `'quarantined'`", type: 'WorkerState | null', shown: 'all', text: 'Workers in this [state](broker.md#looking-at-the-cluster).' },
  limit: { apart: true, form: '1 to 10 000', type: 'number | null', shown: 'none', text: 'Returns one page of at most so many workers, instead of an iterable of all. A page can have fewer, or none, also where more follow.' },
  cursor: { apart: true, form: 'string', type: 'string | null', shown: 'none', text: 'The `cursor` of the page before.' },
};

const REGISTER = {
  clustername: { apart: true, form: `string, at most ${NAME_BYTES} bytes`, type: 'string', shown: "`ctor.clustername`, else `'main'`", text: 'The cluster that workers of this class live in.' },
};

const ROUTER = {
  socTimeout: { check: milliseconds(0), default: 30000, text: 'An idle connection is closed after this; 0: never.' },
};

module.exports = { BROKER, REDIS, REDIS_TLS, CREATE, GET, ASK, DESTROY, LIST, REGISTER, ROUTER };
