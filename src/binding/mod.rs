//! The Node addon: flat, synchronous calls in, one batch of events out. The only module that names Node-API.

#![deny(unreachable_pub)]

pub mod batch_cursor;
pub mod broker;
mod data;
pub mod environment;
pub mod event_loop;
pub mod fast_calls;
pub mod log;
pub mod messages;
pub mod protocol;
pub mod router;
pub mod runtime;
pub mod strings;
pub mod wake;

use napi_derive::napi;

/// The version of the core; must be the package's.
#[napi(catch_unwind)]
pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}
