/** The systems that can take part, in the order of the tables. */
'use strict';

/** Floors: what the machine and Node carry without any protocol. */
const FLOORS = ['net', 'unix', 'thread'];
const PEERS = ['moleculer', 'zeromq', 'grpc', 'capnweb'];
const SYSTEMS = [...FLOORS, ...PEERS, 'dworker'];
const DEFAULT_SYSTEMS = ['net', 'unix', 'thread', 'moleculer', 'dworker'];

module.exports = { DEFAULT_SYSTEMS, FLOORS, SYSTEMS };
