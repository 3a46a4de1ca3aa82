//! What this broker writes into the registry about its own workers: collected, and sent in batches, one after the other.

use crate::broker::activation::catalog::Creator;
use crate::broker::js::delivery::Handle;
use crate::coordination::{Held, Release, Sleep, CHUNK};
use crate::ids::{Epoch, WorkerId};
use crate::lock::lock;
use std::collections::HashMap;
use std::sync::Mutex;
use tokio::sync::{Notify, RwLock};

#[derive(Default)]
pub(super) struct Work {
    pub(super) take_up: HashMap<WorkerId, Vec<Creator>>,
    pub(super) confirm: Vec<(Handle, WorkerId, Epoch)>,
    /// With the slot that hears when it is done; 0: none.
    pub(super) finish: Vec<(Held, u64)>,
    pub(super) release: Vec<(Option<Handle>, Release)>,
    /// With how often the registry did not know the worker.
    pub(super) sleep: Vec<(Handle, Sleep, u32)>,
    pub(super) loads: HashMap<WorkerId, (Epoch, u64)>,
}

/// What is to be written into the registry about the workers of this broker, until it is sent.
#[derive(Default)]
pub(crate) struct Registrar {
    pub(super) work: Mutex<Work>,
    pub(super) wake: Notify,
    /// Held to read while something of this broker's comes to live or ends both in the registry and here; to write
    /// while all of it is put back.
    pub(super) turn: RwLock<()>,
}

impl Registrar {
    /// Take up a worker that stands under this incarnation.
    pub(crate) fn take_up(&self, id: WorkerId, creator: Option<Creator>) {
        lock(&self.work).take_up.entry(id).or_default().extend(creator);
        self.wake.notify_one();
    }

    /// Its activation ended well.
    pub(crate) fn confirm(&self, handle: Handle, id: WorkerId, epoch: Epoch) {
        lock(&self.work).confirm.push((handle, id, epoch));
        self.wake.notify_one();
    }

    /// Give a worker up; a resident's handle goes when that is done.
    pub(crate) fn release(&self, handle: Option<Handle>, release: Release) {
        lock(&self.work).release.push((handle, release));
        self.wake.notify_one();
    }

    /// An idle worker leaves memory; its handle goes when that is done. `unknown`: how often the registry did not know it.
    pub(crate) fn sleep(&self, handle: Handle, sleep: Sleep, unknown: u32) {
        lock(&self.work).sleep.push((handle, sleep, unknown));
        self.wake.notify_one();
    }

    /// This worker, which still stands here, is not to be recovered. `slot` hears when the registry knows that; 0: none.
    pub(crate) fn finish(&self, held: Held, slot: u64) {
        lock(&self.work).finish.push((held, slot));
        self.wake.notify_one();
    }

    /// A new load; only the latest is sent.
    pub(crate) fn load(&self, id: WorkerId, epoch: Epoch, load: u64) {
        lock(&self.work).loads.insert(id, (epoch, load));
        self.wake.notify_one();
    }

    pub(super) fn next(&self) -> Option<Work> {
        let mut work = lock(&self.work);
        let mut next = Work::default();
        let ids: Vec<WorkerId> = work.take_up.keys().take(CHUNK).cloned().collect();
        for id in ids {
            if let Some(creators) = work.take_up.remove(&id) {
                next.take_up.insert(id, creators);
            }
        }
        let confirms = work.confirm.len().min(CHUNK);
        next.confirm = work.confirm.drain(..confirms).collect();
        next.finish = std::mem::take(&mut work.finish);
        let releases = work.release.len().min(CHUNK);
        next.release = work.release.drain(..releases).collect();
        let sleeps = work.sleep.len().min(CHUNK);
        next.sleep = work.sleep.drain(..sleeps).collect();
        let ids: Vec<WorkerId> = work.loads.keys().take(CHUNK).cloned().collect();
        for id in ids {
            if let Some(load) = work.loads.remove(&id) {
                next.loads.insert(id, load);
            }
        }
        let idle = next.finish.is_empty()
            && next.take_up.is_empty()
            && next.confirm.is_empty()
            && next.release.is_empty()
            && next.sleep.is_empty()
            && next.loads.is_empty();
        (!idle).then_some(next)
    }
}
