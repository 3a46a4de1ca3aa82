//! Which senders' messages are sent back because this incarnation was suspended when they came: from the first refused
//! ask on all of that sender to that worker, until the sender has heard of it. Pure.
//!
//! One that let a later message through after an earlier one had been refused would turn their order around.

use crate::broker::inbox::lock;
use crate::ids::WorkerId;
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Mutex;

/// See the module. At most one entry for each worker and connection that was refused since the last suspension.
#[derive(Default)]
pub struct Refusals {
    /// As everybody sees it without taking the lock.
    any: AtomicBool,
    lanes: Mutex<HashSet<(u64, WorkerId)>>,
}

impl Refusals {
    /// Whether a message that came over this connection goes back. Tells are let in until an ask is refused: they wait.
    pub fn refuses(&self, suspended: bool, connection: u64, worker: &WorkerId, ask: bool) -> bool {
        let begins = suspended && ask;
        if !begins && !self.any.load(Ordering::Acquire) {
            return false;
        }
        let mut lanes = lock(&self.lanes);
        let lane = (connection, worker.clone());
        if begins {
            lanes.insert(lane);
            self.any.store(true, Ordering::Release);
            return true;
        }
        lanes.contains(&lane)
    }

    /// The sender knows, and has written nothing since.
    pub fn passed(&self, connection: u64, worker: &WorkerId) {
        self.forget(|(from, to)| *from == connection && to == worker);
    }

    pub fn closed(&self, connection: u64) {
        self.forget(|(from, _)| *from == connection);
    }

    fn forget(&self, gone: impl Fn(&(u64, WorkerId)) -> bool) {
        if self.any.load(Ordering::Acquire) {
            let mut lanes = lock(&self.lanes);
            lanes.retain(|lane| !gone(lane));
            self.any.store(!lanes.is_empty(), Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_a_refused_ask_is_refused_until_its_sender_has_heard_of_it() {
        let (refusals, w, v) = (Refusals::default(), WorkerId::new("w"), WorkerId::new("v"));
        assert!(!refusals.refuses(true, 1, &w, false), "a tell waits");
        assert!(refusals.refuses(true, 1, &w, true));
        assert!(refusals.refuses(false, 1, &w, false) && refusals.refuses(false, 1, &w, true));
        assert!(!refusals.refuses(false, 1, &v, true) && !refusals.refuses(false, 2, &w, true));
        refusals.passed(1, &w);
        assert!(!refusals.refuses(false, 1, &w, true));
        assert!(refusals.refuses(true, 2, &w, true));
        refusals.closed(2);
        assert!(!refusals.refuses(false, 2, &w, false));
    }
}
