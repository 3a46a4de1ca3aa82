//! The workers of this broker: created, active, recovered, gone.
//!
//! | what you look for | file |
//! | --- | --- |
//! | the parts of this room | [`room`] |
//! | the two tables: workers that live here, messages that they handle | [`workers`]; their types: [`catalog`], [`requests`] |
//! | workers that take one message at a time | [`mailbox`], [`turns`] |
//! | messages that no handler starts for | [`returns`] |
//! | calls that end before their answer | [`cancellation`] |
//! | what JavaScript reports of workers | [`lifecycle`]; they come and go: [`moves`] |
//! | what becomes of asks that a worker handles when it goes; idle workers | [`departure`] |
//! | who waits until a worker is there | [`creators`] |
//! | `createWorker`, `findWorker` | [`creation`], [`reservation`], [`take_up`] |
//! | Redis restarted, wiped, rolled back: putting back what is held | [`restore`], [`write_back`] |
//! | `agent.destroy()` | [`ending`] |
//! | recovery: claims, lost answers | [`claims`], [`audit`] |
//! | workers that end their process: trials, quarantine | [`trials`] |
//! | writes into the registry, batched | [`registrar`], [`registration`] |
//! | what a search for a route asks of the workers here | [`local`] |

pub mod audit;
pub mod cancellation;
pub mod catalog;
pub mod claims;
pub mod creation;
pub mod creators;
pub mod departure;
pub mod ending;
pub mod lifecycle;
pub mod local;
pub mod mailbox;
pub mod moves;
pub mod registrar;
pub mod registration;
pub mod requests;
pub mod reservation;
pub mod restore;
pub mod returns;
pub mod room;
pub mod take_up;
pub mod trials;
pub mod turns;
pub mod workers;
pub mod write_back;
