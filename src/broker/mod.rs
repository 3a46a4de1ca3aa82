//! What a broker decides: where messages go, who owns what, who is dead. Sockets and Redis are behind seams.
//!
//! | what you look for | where |
//! | --- | --- |
//! | start, destroy, joining again after being fenced | [`broker`], [`start`] |
//! | a broker id that is in use | [`succession`] |
//! | all state of one incarnation | [`incarnation`]; its handles to the coordinator: [`registry`] |
//! | events to JavaScript | [`js`] |
//! | the lease and the gate | [`lease`] |
//! | other brokers, their death, Redis that lost its data | [`membership`] |
//! | routes, and where a worker is | [`directory`] |
//! | workers that live here; `createWorker`, `findWorker`, recovery | [`activation`] |
//! | asks, tells and answers | [`messaging`] |
//! | tasks of one incarnation | [`tasks`] |
//! | numbers that all incarnations of a broker share | [`numbers`] |
//! | log lines that must not repeat; how many of one kind are emitted | [`notices`], [`log_lines`] |

pub mod activation;
// The file is named after what it is; `broker::broker` appears only in its importers.
#[allow(clippy::module_inception)]
pub mod broker;
pub mod directory;
pub mod incarnation;
pub mod js;
pub mod lease;
pub mod log_lines;
pub mod membership;
pub mod messaging;
pub mod notices;
pub mod numbers;
pub mod registry;
pub mod start;
pub mod succession;
pub mod tasks;
