//! Which senders' messages are sent back because an earlier one was: from the first refused one on all of that sender
//! to that activation of the worker, until the sender has heard of it. Pure.
//!
//! A message is refused because this incarnation is suspended, or because the worker is not here: it may stand here in
//! the registry, whose answer is still on its way. One that let a later message through, because the lease was renewed
//! or the worker taken up meanwhile, would turn their order around.

use crate::error::Code;
use crate::ids::{Epoch, WorkerId};
use crate::lock::lock;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Mutex;

/// Workers that the messages of one connection are refused for at most.
pub(crate) const MAX_PER_CONNECTION: usize = 100_000;

#[derive(Clone, Copy)]
struct Refusal {
    epoch: Epoch,
    code: Code,
}

/// Which workers the messages of a connection are refused for, by connection, then by worker.
#[derive(Default)]
pub(crate) struct Refusals {
    /// As everybody sees it without taking the lock.
    any: AtomicBool,
    lanes: Mutex<HashMap<u64, HashMap<WorkerId, Refusal>>>,
}

impl Refusals {
    /// Why a message that came over this connection goes back, if an earlier one did.
    pub(crate) fn refuses(&self, connection: u64, worker: &WorkerId, epoch: Epoch) -> Option<Code> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        let lanes = lock(&self.lanes);
        let refusal = lanes.get(&connection)?.get(worker)?;
        (refusal.epoch == epoch).then_some(refusal.code)
    }

    /// A message goes back, and so does what follows it. `false`: there are too many of this connection, which has to
    /// end.
    pub(crate) fn refuse(&self, connection: u64, worker: &WorkerId, epoch: Epoch, code: Code) -> bool {
        let mut lanes = lock(&self.lanes);
        let refused = lanes.entry(connection).or_default();
        refused.insert(worker.clone(), Refusal { epoch, code });
        self.any.store(true, Ordering::Release);
        refused.len() <= MAX_PER_CONNECTION
    }

    /// The sender knows, and has written nothing since.
    pub(crate) fn passed(&self, connection: u64, worker: &WorkerId) {
        self.forget(|lanes| {
            let Some(refused) = lanes.get_mut(&connection) else { return };
            refused.remove(worker);
            if refused.is_empty() {
                lanes.remove(&connection);
            }
        });
    }

    pub(crate) fn closed(&self, connection: u64) {
        self.forget(|lanes| drop(lanes.remove(&connection)));
    }

    fn forget(&self, what: impl FnOnce(&mut HashMap<u64, HashMap<WorkerId, Refusal>>)) {
        if self.any.load(Ordering::Acquire) {
            let mut lanes = lock(&self.lanes);
            what(&mut lanes);
            self.any.store(!lanes.is_empty(), Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const E: Epoch = Epoch(7);

    #[test]
    fn what_follows_a_refused_message_is_refused_until_its_sender_has_heard_of_it() {
        let (refusals, w, v) = (Refusals::default(), WorkerId::new("w"), WorkerId::new("v"));
        assert!(refusals.refuses(1, &w, E).is_none());
        assert!(refusals.refuse(1, &w, E, Code::Suspended));
        assert_eq!(refusals.refuses(1, &w, E), Some(Code::Suspended));
        assert!(refusals.refuses(1, &v, E).is_none() && refusals.refuses(2, &w, E).is_none());
        refusals.passed(1, &w);
        assert!(refusals.refuses(1, &w, E).is_none());
        assert!(refusals.refuse(2, &w, E, Code::WorkerNotFound));
        assert_eq!(refusals.refuses(2, &w, E), Some(Code::WorkerNotFound));
        refusals.closed(2);
        assert!(refusals.refuses(2, &w, E).is_none());
    }

    #[test]
    fn another_activation_is_written_to_only_by_who_knows_of_the_refusals() {
        let (refusals, w) = (Refusals::default(), WorkerId::new("w"));
        refusals.refuse(1, &w, E, Code::WorkerNotFound);
        assert!(refusals.refuses(1, &w, Epoch(8)).is_none());
    }

    #[test]
    fn a_peer_that_never_asks_what_came_back_is_not_remembered_without_end() {
        let refusals = Refusals::default();
        let refuse = |n: usize| refusals.refuse(1, &WorkerId::new(n.to_string()), E, Code::WorkerNotFound);
        assert!((0..MAX_PER_CONNECTION).all(refuse));
        assert!(!refuse(MAX_PER_CONNECTION));
    }
}
