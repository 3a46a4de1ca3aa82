//! What a broker decides: where messages go, who owns what, who is dead. Sockets and Redis are behind seams.
//!
//! | what you look for | where |
//! | --- | --- |
//! | start, destroy, joining again after being fenced | [`broker`], [`start`] |
//! | hints of other brokers | [`signals`] |
//! | all state of one incarnation | [`incarnation`] |
//! | events to JavaScript | [`js`] |
//! | what every room may use: ids, options, log, tasks | [`context`] |
//! | the lease and the gate | [`lease`] |
//! | other brokers, their death, Redis that lost its data | [`membership`] |
//! | calls that wait for an answer | [`calls`] |
//! | what is written to peers, and when | [`output`] |
//! | routes, and where a worker is | [`directory`] |
//! | workers that live here; `createWorker`, `findWorker`, recovery | [`activation`] |
//! | asks, tells and answers | [`messaging`] |

pub mod activation;
// The file is named after what it is; `broker::broker` appears only in its importers.
#[allow(clippy::module_inception)]
pub mod broker;
pub mod calls;
pub mod context;
pub mod directory;
pub mod incarnation;
pub mod js;
pub mod lease;
pub mod membership;
pub mod messaging;
pub mod output;
pub mod signals;
pub mod start;
