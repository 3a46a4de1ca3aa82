//! The workers of this broker: created, active, recovered, gone.
//!
//! | what you look for | file |
//! | --- | --- |
//! | workers that live here | [`catalog`]; what JavaScript reports of them: [`lifecycle`] |
//! | workers that take one message at a time | [`mailbox`], [`turns`] |
//! | messages that JavaScript is handling | [`requests`] |
//! | what becomes of asks that a worker handles when it goes | [`departure`] |
//! | `createWorker`, `findWorker` | [`creation`], [`take_up`] |
//! | Redis restarted, wiped, rolled back: putting back what is held | [`restore`], [`write_back`] |
//! | recovery: claims, lost answers | [`claims`] |
//! | workers that end their process: trials, quarantine | [`trials`] |
//! | writes into the registry, batched | [`registrar`] |
//! | messages between this broker and its own workers that JavaScript keeps to itself | [`direct`] |

pub mod catalog;
pub mod claims;
pub mod creation;
pub mod departure;
pub mod direct;
pub mod lifecycle;
pub mod mailbox;
pub mod registrar;
pub mod requests;
pub mod restore;
pub mod take_up;
pub mod trials;
pub mod turns;
pub mod write_back;
