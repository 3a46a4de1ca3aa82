//! What a broker decides: where messages go, who owns what, who is dead. Sockets and Redis are behind seams.
//!
//! Each folder is a room: it owns its tables, and calls only rooms below it, in this order: [`js`], [`context`], [`lease`],
//! [`membership`], [`calls`], [`output`], [`directory`], [`activation`], [`messaging`]. Where a lower room needs something
//! of an upper one it says so in a narrow trait ([`Holder`](lease::renewal::Holder),
//! [`Observer`](membership::view::Observer), [`Local`](directory::routes::Local)), or it publishes what happened for
//! whoever waits ([`Changes`](membership::changes::Changes), [`Waiting`](membership::waiting::Waiting)). [`incarnation`]
//! wires the rooms of one incarnation.
//!
//! | what you look for | where |
//! | --- | --- |
//! | what the binding holds | [`core`]; where the state of its cluster lives: [`home`] |
//! | start, destroy, joining again after being fenced | [`start`], [`lifetime`] |
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

pub(crate) mod activation;
pub mod calls;
pub(crate) mod context;
pub mod core;
pub mod directory;
pub mod home;
pub(crate) mod incarnation;
pub mod js;
pub mod lease;
pub(crate) mod lifetime;
pub mod membership;
pub(crate) mod messaging;
pub(crate) mod output;
pub(crate) mod signals;
pub(crate) mod start;
