/** Raw sockets over a Unix socket, sending side: the server says where it listens. */
'use strict';

require('../net/client');
