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
//! | timers of workers that are asleep | [`alarms`] |
//! | recovery: claims, lost answers | [`claims`], [`audit`] |
//! | workers that end their process: trials, quarantine | [`trials`] |
//! | writes into the registry, batched | [`registrar`], [`registration`] |
//! | data of workers, written in batches | [`saving`] |
//! | what a search for a route asks of the workers here | [`local`] |

pub(crate) mod alarms;
pub(crate) mod audit;
pub(crate) mod cancellation;
pub(crate) mod catalog;
pub(crate) mod claims;
pub(crate) mod creation;
pub(crate) mod creators;
pub(crate) mod departure;
pub(crate) mod ending;
pub(crate) mod lifecycle;
pub(crate) mod local;
pub(crate) mod mailbox;
pub(crate) mod moves;
pub(crate) mod registrar;
pub(crate) mod registration;
pub(crate) mod requests;
pub(crate) mod reservation;
pub(crate) mod restore;
pub(crate) mod returns;
pub(crate) mod room;
pub(crate) mod saving;
pub(crate) mod take_up;
pub(crate) mod trials;
pub(crate) mod turns;
pub(crate) mod workers;
pub(crate) mod write_back;
