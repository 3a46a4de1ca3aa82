//! Whether this incarnation may act: its lease, and what shows that the lease cannot be trusted.
//!
//! | what you look for | file |
//! | --- | --- |
//! | until when handlers may start | [`gate`] |
//! | renewing the lease | [`renewal`] |
//! | an event loop that stands still | [`stall`] |
//! | whether the coordinator's clock jumped | [`server_clock`] |

pub mod gate;
pub mod renewal;
pub mod server_clock;
pub mod stall;
