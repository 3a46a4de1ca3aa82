/** Made by scripts/options.js from lib/options/table.js: the options in index.d.ts are those of the tables. */

import type { KeyObject } from 'node:crypto';
import { expectTypeOf } from 'expect-type';
import type { Address, AskOptions, BrokerOptions, CreateOptions, DestroyOptions, GetOptions, ListOptions, LogEvent, Logger, RedisOptions, RedisTlsOptions, RegisterOptions, RouterOptions, TlsOptions, WorkerState } from 'dworker';

interface BrokerOptionsTable {
  ns?: string;
  clustername?: string;
  redis?: string | URL | RedisOptions | null;
  listen?: Address | null;
  advertise?: Address | null;
  rpcTimeout?: number;
  retries?: {
    initialInterval?: number;
    maxInterval?: number;
    duration?: number;
  };
  ttl?: number;
  brokerCache?: {
    max?: number;
    maxAge?: number;
  };
  socTimeout?: number;
  maxPeers?: number;
  sockets?: 'loop' | 'task';
  localSockets?: boolean;
  healthCheckInterval?: number;
  lease?: {
    ttl?: number;
    renew?: number;
    strict?: boolean;
  };
  onRedisLoss?: 'suspend' | 'serve';
  stall?: {
    after?: number;
    action?: 'report' | 'abort';
  };
  maxMessageBytes?: number;
  codec?: 'json' | 'structured';
  destroyTimeout?: number;
  remoteStack?: boolean;
  secret?: string | [string] | [string, string] | null;
  tls?: TlsOptions | null;
  promise?: 'bluebird' | 'native' | PromiseConstructorLike;
  log?: false | Logger | ((event: LogEvent) => void);
  batchReadSize?: number;
}

expectTypeOf<BrokerOptions>().toEqualTypeOf<BrokerOptionsTable>();

interface RedisOptionsTable {
  url?: string | URL | null;
  host?: string | null;
  port?: number | string | null;
  path?: string | null;
  username?: string | null;
  password?: string | null;
  db?: number | string | null;
  tls?: boolean | RedisTlsOptions | null;
  nodes?: { host: string; port?: number | string | null }[] | null;
  sentinels?: { host: string; port?: number | string | null }[] | null;
  name?: string | null;
  sentinelUsername?: string | null;
  sentinelPassword?: string | null;
  sentinelTls?: boolean | RedisTlsOptions | null;
  cluster?: boolean | null;
  pub?: object | null;
  sub?: object | null;
}

expectTypeOf<RedisOptions>().toEqualTypeOf<RedisOptionsTable>();

interface RedisTlsOptionsTable {
  ca?: string | Uint8Array | (string | Uint8Array)[];
  cert?: string | Uint8Array | (string | Uint8Array)[];
  key?: string | Uint8Array | KeyObject;
  passphrase?: string;
  servername?: string;
  rejectUnauthorized?: boolean;
}

expectTypeOf<RedisTlsOptions>().toEqualTypeOf<RedisTlsOptionsTable>();

interface CreateOptionsTable {
  id?: string | null;
  static?: boolean;
  attributes?: { recoverable?: boolean; [name: string]: any } | null;
}

expectTypeOf<CreateOptions>().toEqualTypeOf<CreateOptionsTable>();

interface GetOptionsTable {
  attributes?: { recoverable?: boolean; [name: string]: any } | null;
  clustername?: string;
}

expectTypeOf<GetOptions>().toEqualTypeOf<GetOptionsTable>();

interface AskOptionsTable {
  timeout?: number;
  signal?: AbortSignal;
}

expectTypeOf<AskOptions>().toEqualTypeOf<AskOptionsTable>();

interface DestroyOptionsTable {
  noRecover?: boolean;
}

expectTypeOf<DestroyOptions>().toEqualTypeOf<DestroyOptionsTable>();

interface ListOptionsTable {
  name?: string | null;
  clustername?: string | null;
  broker?: string | null;
  state?: WorkerState | null;
  limit?: number | null;
  cursor?: string | null;
}

expectTypeOf<ListOptions>().toEqualTypeOf<ListOptionsTable>();

interface RegisterOptionsTable {
  clustername?: string;
}

expectTypeOf<RegisterOptions>().toEqualTypeOf<RegisterOptionsTable>();

interface RouterOptionsTable {
  socTimeout?: number;
}

expectTypeOf<RouterOptions>().toEqualTypeOf<RouterOptionsTable>();
