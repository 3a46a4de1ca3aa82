//! Writing the workers of this broker back into the registry: first what stands there is read, then what differs is written.
//!
//! Both go in pages. Between two pages no lock is held, so a broker with very many workers serves them meanwhile.

use crate::broker::activation::catalog::{Resident, State};
use crate::broker::activation::lifecycle::Lifecycle;
use crate::broker::activation::workers::Workers;
use crate::broker::context::shared::Context;
use crate::broker::js::delivery::Handle;
use crate::coordination::{
    Cause, CoordinationResult, EntryState, Fate, Held, Owned, Release, Restoration, CHUNK, MAX_LOAD,
};
use crate::lock::lock;
use rustc_hash::FxHashSet;
use std::sync::Arc;

/// Workers that one call writes: up to 20 µs each, and Redis serves nobody meanwhile.
const RESTORED: usize = 200;

/// Of a worker that lives here, as its entry has to have it: cause and attempt.
fn activation(resident: &Resident) -> (Cause, u32) {
    match resident.state {
        State::Activating => (resident.entry.cause, resident.entry.attempt),
        _ => (Cause::Recovery, 0),
    }
}

/// The entry of a worker that lives here, as it has to stand in the registry.
fn held(resident: &Resident) -> Held {
    let mut entry = (*resident.entry).clone();
    (entry.cause, entry.attempt) = activation(resident);
    Held { entry, state: EntryState::Active, load: resident.load }
}

/// Whether writing this worker would change nothing.
fn is_current(resident: &Resident, owned: &Owned) -> bool {
    owned.epoch == resident.epoch
        && owned.state == EntryState::Active
        && owned.load == resident.load.min(MAX_LOAD)
        && owned.recoverable == resident.entry.recoverable
        && (owned.cause, owned.attempt) == activation(resident)
}

/// Compares the registry with what lives here, and writes what differs.
pub(crate) struct WriteBack {
    context: Arc<Context>,
    workers: Arc<Workers>,
    lifecycle: Arc<Lifecycle>,
}

impl WriteBack {
    pub(super) fn new(lifecycle: &Arc<Lifecycle>) -> Arc<Self> {
        let (context, workers) = (lifecycle.context.clone(), lifecycle.workers.clone());
        Arc::new(Self { context, workers, lifecycle: lifecycle.clone() })
    }

    /// Reads what stands under this incarnation: the workers whose entries are as they have to be, and the entries of
    /// workers that do not live here any more.
    pub(crate) async fn compare_own(&self) -> CoordinationResult<(FxHashSet<Handle>, Vec<Release>)> {
        let (mut current, mut stale, mut offset) = (FxHashSet::default(), Vec::new(), 0);
        loop {
            let page = self.context.coordinator.owned(&self.context.incarnation, offset, CHUNK).await?;
            offset += page.len();
            let is_last = page.len() < CHUNK;
            let mut residents = lock(&self.workers.residents);
            for owned in page {
                match residents.by_id_mut(owned.id.as_str()) {
                    Some((handle, resident)) if is_current(resident, &owned) => {
                        current.insert(handle);
                    }
                    Some(_) => {}
                    None => stale.push(Release { id: owned.id, epoch: owned.epoch, fate: Fate::Delete }),
                }
            }
            if is_last {
                return Ok((current, stale));
            }
        }
    }

    /// Gives up entries from before whose workers are gone.
    pub(crate) async fn give_up_entries(&self, stale: &[Release]) -> CoordinationResult<()> {
        for chunk in stale.chunks(CHUNK) {
            self.context.coordinator.release(&self.context.incarnation, chunk).await?;
        }
        Ok(())
    }

    /// Writes all workers but those whose entries are `current`. `false`: this incarnation is not a member (any more).
    pub(crate) async fn write_back(self: &Arc<Self>, current: FxHashSet<Handle>) -> CoordinationResult<bool> {
        let mut handles: Vec<Handle> = lock(&self.workers.residents).iter().map(|(handle, _)| handle).collect();
        handles.retain(|handle| !current.contains(handle));
        // Two calls at a time: while the coordinator works on one the next is written.
        for both in handles.chunks(2 * RESTORED) {
            let (first, second) = both.split_at(both.len().min(RESTORED));
            let (first, second) = tokio::join!(self.write_some(first), self.write_some(second));
            if !(first? && second?) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn write_some(self: &Arc<Self>, handles: &[Handle]) -> CoordinationResult<bool> {
        let (handles, workers): (Vec<Handle>, Vec<Held>) = {
            let mut residents = lock(&self.workers.residents);
            let living = handles.iter().filter_map(|handle| Some((*handle, held(residents.get_mut(*handle)?))));
            living.unzip()
        };
        if workers.is_empty() {
            return Ok(true);
        }
        match self.context.coordinator.restore(&self.context.incarnation, &workers).await? {
            Restoration::NotMember => Ok(false),
            Restoration::Restored(stands) => {
                let fenced = handles.into_iter().zip(stands).filter(|(_, stands)| !stands);
                fenced.for_each(|(handle, _)| self.lifecycle.fence(handle));
                Ok(true)
            }
        }
    }
}
