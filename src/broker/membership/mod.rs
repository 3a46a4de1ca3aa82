//! The other brokers: who they are, whether they live, and what happens when one dies.
//!
//! | what you look for | file |
//! | --- | --- |
//! | other brokers, hosted classes, `restartAll` | [`view`] |
//! | control connections between neighbours | [`heartbeat`], [`neighbours`] |
//! | proof of death | [`death`] |
//! | who is evicted, when, by whom | [`eviction`], [`ranking`] |
//! | Redis restarted, wiped, rolled back: putting back what is held | [`restore`], [`remembered`] |

pub mod death;
pub mod eviction;
pub mod heartbeat;
pub mod neighbours;
pub mod ranking;
pub mod remembered;
pub mod restore;
pub mod view;
