//! The Node addon: flat, synchronous calls in, one batch of events out. The only module that names Node-API.

pub(crate) mod batch_cursor;
pub(crate) mod broker;
mod data;
pub(crate) mod environment;
pub(crate) mod event_loop;
pub(crate) mod fast_calls;
pub(crate) mod log;
pub(crate) mod messages;
pub(crate) mod names;
pub(crate) mod protocol;
pub(crate) mod router;
pub(crate) mod runtime;
pub(crate) mod strings;
pub(crate) mod wake;

use napi_derive::napi;

/// The version of the core; must be the package's.
#[napi(catch_unwind)]
pub(crate) fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}
