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

pub(crate) mod changes;
pub(crate) mod connections;
pub(crate) mod credentials;
pub mod death;
pub(crate) mod eviction;
pub(crate) mod heartbeat;
pub(crate) mod members;
pub(crate) mod neighbours;
pub(crate) mod peers;
pub(crate) mod proofs;
pub(crate) mod quarantine;
pub(crate) mod ranking;
pub(crate) mod remembered;
pub(crate) mod room;
pub(crate) mod succession;
pub(crate) mod transports;
pub(crate) mod view;
pub(crate) mod waiting;
