//! What every room of the broker may use.
//!
//! | what you look for | file |
//! | --- | --- |
//! | ids, options, registry, queue, log and tasks of one incarnation | [`shared`] |
//! | the handles to the coordinator | [`registry`]; the thread that leases are renewed on: [`lease_thread`] |
//! | tasks of one incarnation | [`tasks`] |
//! | numbers that all incarnations of a broker share | [`numbers`] |
//! | the log | [`log`]; how many lines of one kind are emitted: [`log_lines`]; lines that must not repeat: [`notices`] |

pub mod lease_thread;
pub mod log;
pub mod log_lines;
pub mod notices;
pub mod numbers;
pub mod recipes;
pub mod registry;
pub mod shared;
pub mod tasks;
