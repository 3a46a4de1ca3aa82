//! What every room of the broker may use.
//!
//! | what you look for | file |
//! | --- | --- |
//! | ids, options, registry, queue, log and tasks of one incarnation | [`shared`] |
//! | the handles to the coordinator | [`registry`]; the thread that leases are renewed on: [`lease_thread`] |
//! | tasks of one incarnation | [`tasks`] |
//! | numbers that all incarnations of a broker share | [`numbers`] |
//! | the log | [`log`]; how many lines of one kind are emitted: [`log_lines`]; lines that must not repeat: [`notices`] |

pub(crate) mod lease_thread;
pub(crate) mod log;
pub(crate) mod log_lines;
pub(crate) mod notices;
pub(crate) mod numbers;
pub(crate) mod recipes;
pub(crate) mod registry;
pub(crate) mod shared;
pub(crate) mod tasks;
