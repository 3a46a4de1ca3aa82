//! dworker: stateful workers for Node.js on Redis or Valkey.
//!
//! | what you look for | where |
//! | --- | --- |
//! | what a broker decides: messages, routes, workers, recovery | [`broker`] and the table in it |
//! | the cluster's state: contract, Redis and Lua, in memory | [`coordination`] |
//! | frames, handshake | [`wire`] |
//! | sockets, connections, limits at the door | [`transport`] |
//! | error codes, options, ids, time: what every module may use | [`base`] |
//! | what JavaScript calls | `binding` |
//!
//! | word | meaning |
//! | --- | --- |
//! | broker | a member of the system inside a Node process; has an id of the application's |
//! | incarnation | one life of a broker, from its start to its end; leases, records and entries name it |
//! | worker, worker class | an instance of the application's, with an id; what it is made of |
//! | cluster | brokers among which the workers of a class are spread |
//! | agent | what the application asks and tells a worker through |
//! | peer | another broker, seen from a connection |
//! | ask, tell | a message that wants an answer; one that does not |
//! | load | what a worker says it costs; a broker's is the sum of its workers' |
//! | lease | until when an incarnation counts as alive |
//! | epoch | which activation of a worker id this is; grows always |
//! | place | choose the broker for a worker and reserve it there |
//! | activate | make a placed or claimed worker live |
//! | suspend | hold messages back while the lease may have run out |
//! | evict | remove a dead incarnation and salvage its workers |
//! | claim, recover | take over a worker that waits to be made again; make it again |
//! | lane | the sender's side of the order of messages to one worker |
//!
//! Rooms of the broker, the lower ones first: js, context, lease, membership, calls, output, directory, activation, messaging.
//! A room calls only rooms below it; what it needs of one above is a narrow trait that the other one implements, or a
//! notification that the other one waits for. `tests/directions.rs` fails where code departs from that.
//!
//! Directions: binding → broker → (coordination | transport) → wire → (ids, error, config, limits). Nothing imports binding;
//! coordination and transport do not know each other.

#![deny(clippy::unwrap_used)]
#![deny(unreachable_pub)]
// Many items are used by the binding alone, and tests export no Node-API functions: the library with the binding is what
// is checked for dead code.
#![cfg_attr(any(test, not(feature = "binding")), allow(dead_code))]
// The pages are made with `cargo doc --document-private-items`.
#![allow(rustdoc::private_intra_doc_links)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod base;
pub mod broker;
pub mod coordination;
pub mod transport;
pub mod wire;

pub use base::{backoff, clock, config, error, ids, level, limits, lock, sync};

#[cfg(feature = "binding")]
mod binding;
