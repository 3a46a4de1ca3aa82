//! dworker: stateful workers for Node.js on Redis or Valkey.

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
