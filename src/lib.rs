//! dworker: stateful workers for Node.js on Redis or Valkey.
//!
//! | what you look for | where |
//! | --- | --- |
//! | what a broker decides: messages, routes, workers, recovery | [`broker`] and the table in it |
//! | the cluster's state: contract, Redis and Lua, in memory | [`coordination`] |
//! | frames, handshake | [`wire`] |
//! | sockets, connections, limits at the door | [`transport`] |
//! | error codes | [`error`] |
//! | options as the core gets them | [`config`] |
//! | ids, epochs, incarnations | [`ids`] |
//! | local time, waiting times | [`clock`], [`backoff`] |
//! | what JavaScript calls | `binding` |
//!
//! Directions: binding → broker → (coordination | transport) → wire → (ids, error, config). Nothing imports binding;
//! coordination and transport do not know each other.

#![deny(clippy::unwrap_used)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod backoff;
pub mod broker;
pub mod clock;
pub mod config;
pub mod coordination;
pub mod error;
pub mod ids;
pub mod transport;
pub mod wire;

#[cfg(feature = "binding")]
pub mod binding;
