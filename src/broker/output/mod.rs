//! What this broker writes to its peers, and when: answers leave only while the lease holds.
//!
//! | what you look for | file |
//! | --- | --- |
//! | outboxes that are flushed; answers that are held back | [`gate`] |
//! | an answer that is held back | [`answer`] |
//! | what is said of a message that could not be written | [`failure`] |

pub(crate) mod answer;
pub(crate) mod failure;
pub(crate) mod gate;
