/** Raw sockets over a Unix socket, receiving side: the program of `net` on another kind of socket. */
'use strict';

process.env.DWORKER_BENCH_UNIX = '1';
require('../net/server');
