//! Calls that wait for an answer.
//!
//! | what you look for | file |
//! | --- | --- |
//! | the calls of one incarnation: opened, ended, answered | [`in_flight`] |
//! | the table of calls and their deadlines | [`table`] |

pub(crate) mod in_flight;
pub mod table;
