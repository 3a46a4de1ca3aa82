//! What every other module may use. Nothing here knows brokers, messages or Redis.
//!
//! | what you look for | file |
//! | --- | --- |
//! | ids, epochs, incarnations | [`ids`] |
//! | error codes and failures | [`error`] |
//! | options as the core gets them | [`config`] |
//! | local time | [`clock`] |
//! | waiting times between attempts | [`backoff`] |
//! | levels of log lines | [`level`] |
//! | locks | [`lock`]; those that a model checker can drive: [`sync`] |
//! | limits that several modules, or JavaScript, must agree on | [`limits`] |

pub mod backoff;
pub mod clock;
pub mod config;
pub mod error;
pub mod ids;
pub mod level;
pub mod limits;
pub mod lock;
pub mod sync;
