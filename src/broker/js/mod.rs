//! What the core tells JavaScript.
//!
//! | what you look for | file |
//! | --- | --- |
//! | the events | [`event`]; a message to a worker: [`delivery`] |
//! | the numbers that JavaScript knows them by | [`protocol`] |
//! | what JavaScript reports of a worker | [`report`] |
//! | the queue of events that wait for JavaScript | [`queue`] |
//! | one batch of events as one text | [`batch`] |

pub mod batch;
pub mod delivery;
pub mod event;
pub(crate) mod protocol;
pub mod queue;
pub mod report;
