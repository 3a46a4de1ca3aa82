//! Whether this incarnation may act: its lease, and what shows that the lease cannot be trusted.
//!
//! | what you look for | file |
//! | --- | --- |
//! | the lease of one incarnation | [`room`] |
//! | until when handlers may start | [`gate`] |
//! | renewing the lease | [`renewal`]; whose lease runs out next: [`expiry`] |
//! | an event loop that stands still | [`stall`] |
//! | whether the coordinator's clock jumped | [`server_clock`] |

pub(crate) mod expiry;
pub mod gate;
pub(crate) mod renewal;
pub(crate) mod room;
pub(crate) mod server_clock;
pub(crate) mod stall;
