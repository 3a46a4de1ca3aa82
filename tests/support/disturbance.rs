//! What befalls a coordinator's server in a test, on the embedded one and on a real one.

use super::redis_server::RedisServer;
use dworker::coordination::memory::{MemoryStore, Snapshot};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Disturbance {
    /// Everything is gone, on the same server.
    Wipe,
    /// Another life of the server on the same data.
    Restart,
    /// What is there now can be rolled back to.
    Snapshot,
    /// Another life of the server on the data of the last snapshot.
    RollBack,
}

/// An embedded cluster's.
pub fn disturb_store(store: &MemoryStore, snapshot: &mut Option<Snapshot>, what: Disturbance) {
    match what {
        Disturbance::Wipe => store.wipe(),
        Disturbance::Restart => store.restart(),
        Disturbance::Snapshot => *snapshot = Some(store.snapshot()),
        Disturbance::RollBack => store.roll_back(snapshot.as_ref().expect("there is a snapshot")),
    }
}

pub fn disturb_server(server: &mut RedisServer, what: Disturbance) {
    match what {
        Disturbance::Wipe => assert_eq!(server.ask(&["FLUSHALL"]), "+OK\r\n"),
        Disturbance::Restart => server.restart_with_its_data(),
        Disturbance::Snapshot => server.snapshot(),
        Disturbance::RollBack => server.roll_back(),
    }
}
