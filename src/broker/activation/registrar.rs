//! What this broker writes into the registry about its own workers: collected, and sent in batches, one after the other.

use crate::broker::activation::catalog::{Creator, Insertion};
use crate::broker::incarnation::Life;
use crate::broker::js::batch::is_one_json_object;
use crate::broker::js::delivery::Handle;
use crate::broker::js::event::Event;
use crate::coordination::{Activation, Cause, Entry, Fate, Held, LoadChange, Release, CHUNK, RESERVED_LOAD};
use crate::error::{Code, Failure};
use crate::ids::{Epoch, WorkerId};
use crate::level::Level;
use crate::lock::lock;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Notify, RwLock};

/// Between two tries while the coordinator does not answer.
const RETRY: Duration = Duration::from_millis(200);

#[derive(Default)]
struct Work {
    take_up: HashMap<WorkerId, Vec<Creator>>,
    confirm: Vec<(Handle, WorkerId, Epoch)>,
    /// With the slot that hears when it is done; 0: none.
    finish: Vec<(Held, u64)>,
    release: Vec<(Option<Handle>, Release)>,
    loads: HashMap<WorkerId, (Epoch, u64)>,
}

/// See the module.
#[derive(Default)]
pub struct Registrar {
    work: Mutex<Work>,
    wake: Notify,
    /// Held to read while something of this broker's comes to live or ends both in the registry and here; to write
    /// while all of it is put back.
    pub turn: RwLock<()>,
}

impl Registrar {
    /// Take up a worker that stands under this incarnation.
    pub fn take_up(&self, id: WorkerId, creator: Option<Creator>) {
        lock(&self.work).take_up.entry(id).or_default().extend(creator);
        self.wake.notify_one();
    }

    /// Its activation ended well.
    pub fn confirm(&self, handle: Handle, id: WorkerId, epoch: Epoch) {
        lock(&self.work).confirm.push((handle, id, epoch));
        self.wake.notify_one();
    }

    /// Give a worker up; a resident's handle goes when that is done.
    pub fn release(&self, handle: Option<Handle>, release: Release) {
        lock(&self.work).release.push((handle, release));
        self.wake.notify_one();
    }

    /// This worker, which still stands here, is not to be recovered. `slot` hears when the registry knows that; 0: none.
    pub fn finish(&self, held: Held, slot: u64) {
        lock(&self.work).finish.push((held, slot));
        self.wake.notify_one();
    }

    /// A new load; only the latest is sent.
    pub fn load(&self, id: WorkerId, epoch: Epoch, load: u64) {
        lock(&self.work).loads.insert(id, (epoch, load));
        self.wake.notify_one();
    }

    fn next(&self) -> Option<Work> {
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
            && next.loads.is_empty();
        (!idle).then_some(next)
    }
}

impl Life {
    /// Sends what is collected, as long as the life goes on.
    pub async fn keep_registry(self: Arc<Self>) {
        loop {
            self.registrar.wake.notified().await;
            while let Some(work) = self.registrar.next() {
                tokio::join!(
                    self.send_take_ups(work.take_up),
                    // A worker that ended right after its activation is confirmed first.
                    async {
                        self.send_confirms(work.confirm).await;
                        // An entry that is released must not be put back after it.
                        self.send_finished(work.finish).await;
                        self.send_releases(work.release).await;
                    },
                    self.send_loads(work.loads),
                );
            }
        }
    }

    async fn send_take_ups(self: &Arc<Self>, mut work: HashMap<WorkerId, Vec<Creator>>) {
        if work.is_empty() {
            return;
        }
        let ids: Vec<WorkerId> = work.keys().cloned().collect();
        let turn = self.registrar.turn.read().await;
        match self.context.coordinator.activate(&self.context.incarnation, &ids).await {
            Ok(Activation::Unsettled) => {
                drop(turn);
                self.membership.members.check_server();
                self.membership.members.changes.wait_to_settle(RETRY).await;
                for (id, creators) in work {
                    lock(&self.registrar.work).take_up.entry(id).or_default().extend(creators);
                }
                self.registrar.wake.notify_one();
            }
            Ok(Activation::Answers(entries)) => {
                for (id, entry) in ids.into_iter().zip(entries) {
                    let creators = work.remove(&id).unwrap_or_default();
                    match entry {
                        Some(entry) => self.move_in(entry, creators),
                        None => {
                            let text = format!("The worker \"{id}\" does not stand under this broker.");
                            self.tell_creators(creators, &Err(Failure::new(Code::WorkerNotFound, text)));
                        }
                    }
                }
            }
            Err(error) => {
                // It may have been applied: then the audit finds what stands here without living here.
                self.audit.notify_one();
                for (_, creators) in work {
                    self.tell_creators(creators, &Err(Failure::new(Code::Redis, error.to_string())));
                }
            }
        }
    }

    /// The attributes are no JSON object: another program wrote the entry. It is given up, and no worker is made.
    fn refuse_entry(&self, entry: Entry, creators: Vec<Creator>) {
        let text = format!("The attributes of the worker \"{}\" in Redis are not a JSON object", entry.id);
        self.context.log(Level::Error, format!("{text}: another program wrote them. The entry is deleted."));
        self.context.inbox.push(Event::WorkerLost { id: entry.id.to_string(), reason: text.clone() });
        self.tell_creators(creators, &Err(Failure::new(Code::Redis, text)));
        self.registrar.release(None, Release { id: entry.id, epoch: entry.epoch, fate: Fate::Delete });
    }

    /// A worker that stands under this incarnation begins to live here.
    pub fn move_in(self: &Arc<Self>, entry: Entry, creators: Vec<Creator>) {
        if !is_one_json_object(entry.attributes.as_bytes()) {
            return self.refuse_entry(entry, creators);
        }
        self.membership.members.saw(&entry.id, entry.epoch);
        let searched = entry.attempt > 1 || entry.cause == Cause::Recovery;
        let entry = Arc::new(entry);
        let mut residents = lock(&self.residents);
        match residents.insert(&entry, RESERVED_LOAD, creators) {
            Insertion::New(handle) => {
                self.judge_past(handle, &entry);
                drop(residents);
                self.context.inbox.push(Event::Create { handle, entry });
                if searched {
                    self.directory.routes.wake_searches();
                }
            }
            Insertion::Later => {}
            Insertion::Here(creators) => {
                drop(residents);
                for creator in creators {
                    self.join_creators(&entry.id, creator);
                }
            }
        }
    }

    async fn send_confirms(self: &Arc<Self>, work: Vec<(Handle, WorkerId, Epoch)>) {
        if work.is_empty() {
            return;
        }
        let activations: Vec<_> = work.iter().map(|(_, id, epoch)| (id.clone(), *epoch)).collect();
        let told = self.context.coordinator.confirm(&self.context.incarnation, &activations).await;
        work.iter().for_each(|(handle, ..)| self.confirmed(*handle));
        if let Err(error) = told {
            self.context.log(Level::Debug, format!("Activations could not be confirmed yet: {error}"));
            tokio::time::sleep(RETRY).await;
            work.into_iter().for_each(|(handle, id, epoch)| self.registrar.confirm(handle, id, epoch));
        }
    }

    async fn send_releases(self: &Arc<Self>, work: Vec<(Option<Handle>, Release)>) {
        if work.is_empty() {
            return;
        }
        let releases: Vec<Release> = work.iter().map(|(_, release)| release.clone()).collect();
        loop {
            let turn = self.registrar.turn.read().await;
            match self.context.coordinator.release(&self.context.incarnation, &releases).await {
                Ok(_) => {
                    return work.into_iter().filter_map(|(handle, _)| handle).for_each(|handle| self.move_out(handle))
                }
                Err(error) => {
                    drop(turn);
                    self.context.log(Level::Warn, format!("Workers could not be given up yet: {error}"));
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    /// Each is put back under the same owner and epoch as one that is not recoverable.
    async fn send_finished(&self, work: Vec<(Held, u64)>) {
        let (held, slots): (Vec<Held>, Vec<u64>) = work.into_iter().unzip();
        while !held.is_empty() {
            let turn = self.registrar.turn.read().await;
            match self.context.coordinator.restore(&self.context.incarnation, &held).await {
                Ok(_) => break,
                Err(error) => {
                    drop(turn);
                    self.context.log(
                        Level::Warn,
                        format!("The end of workers could not be written to the registry yet: {error}"),
                    );
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
        slots.into_iter().filter(|slot| *slot > 0).for_each(|slot| self.context.inbox.push(Event::done(slot)));
    }

    async fn send_loads(self: &Arc<Self>, work: HashMap<WorkerId, (Epoch, u64)>) {
        if work.is_empty() {
            return;
        }
        let changes: Vec<LoadChange> =
            work.into_iter().map(|(id, (epoch, load))| LoadChange { id, epoch, load }).collect();
        if let Err(error) = self.context.coordinator.set_load(&self.context.incarnation, &changes).await {
            self.context.log(Level::Warn, format!("Loads could not be reported yet: {error}"));
            tokio::time::sleep(RETRY).await;
            let mut work = lock(&self.registrar.work);
            for change in changes {
                work.loads.entry(change.id).or_insert((change.epoch, change.load));
            }
            self.registrar.wake.notify_one();
        }
    }
}
