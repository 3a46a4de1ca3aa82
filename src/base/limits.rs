//! Limits that several modules, or the core and JavaScript, must agree on.
//!
//! `lib/protocol.js` has those that JavaScript enforces too; a test compares them.

/// Events that one batch carries at most, so that the application's own I/O gets its turns.
pub const BATCH_EVENTS: usize = 256;

/// Messages that wait for JavaScript at most. With as many waiting, sockets are no longer read and calls of this process fail.
pub const INBOX_MESSAGES: usize = 32_768;
/// Bytes of the messages that wait for JavaScript at most.
pub const INBOX_BYTES: usize = 64 * 1024 * 1024;

/// Messages that wait for one receiver at most: for a worker until its broker is known, until it is active and, unless its class sets
/// another limit, for its turn; for one address of a router.
pub const WAITING_MESSAGES: usize = 10_000;
/// Bytes of messages that wait in one place at most: in all lanes of a broker, for one worker, or for one connection.
pub const WAITING_BYTES: usize = 64 * 1024 * 1024;

/// Bytes of a worker's or broker's id on the wire.
pub const ID_BYTES: usize = 512;
/// Bytes of a method's name on the wire.
pub const METHOD_BYTES: usize = 256;
/// Ids and names of methods that JavaScript may say by number, of each broker.
pub const KNOWN_NAMES: usize = 4096;
