//! The other brokers: who they are, whether they live, and what happens when one dies.
//!
//! | what you look for | file |
//! | --- | --- |
//! | the parts of this room | [`room`] |
//! | this broker's record, the classes it hosts, the other members | [`members`]; what is remembered of them: [`remembered`] |
//! | looks at the members, `restartAll` | [`view`] |
//! | connections to peers and their conditions | [`peers`], [`connections`], [`transports`] |
//! | secrets and certificates | [`proofs`], [`credentials`] |
//! | control connections between neighbours | [`heartbeat`], [`neighbours`] |
//! | proof of death | [`death`] |
//! | who is evicted, when, by whom | [`eviction`], [`ranking`]; what is said of the quarantined: [`quarantine`] |
//! | a broker id that is in use | [`succession`] |
//! | what happened, for the tasks that wait for it | [`changes`]; workers that may wait for recovery: [`waiting`] |

pub mod changes;
pub mod connections;
pub mod credentials;
pub mod death;
pub mod eviction;
pub mod heartbeat;
pub mod members;
pub mod neighbours;
pub mod peers;
pub mod proofs;
pub mod quarantine;
pub mod ranking;
pub mod remembered;
pub mod room;
pub mod succession;
pub mod transports;
pub mod view;
pub mod waiting;
