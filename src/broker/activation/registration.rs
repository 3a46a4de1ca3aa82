//! Writes into the registry what the registrar collected, in batches, one after the other.

use crate::broker::activation::catalog::Creator;
use crate::broker::activation::creators::Creators;
use crate::broker::activation::lifecycle::Lifecycle;
use crate::broker::activation::workers::Workers;
use crate::broker::context::shared::Context;
use crate::broker::js::delivery::Handle;
use crate::broker::js::event::Event;
use crate::broker::membership::members::Members;
use crate::coordination::{Activation, Held, LoadChange, Release, Sleep, Slept};
use crate::error::{Code, Failure};
use crate::ids::{Epoch, WorkerId};
use crate::level::Level;
use crate::lock::lock;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Between two tries while the coordinator does not answer.
const RETRY: Duration = Duration::from_millis(200);

/// How often a worker is reported as asleep to a registry that is settled and does not know it. By then a broker that lost its place
/// there would have noticed.
const UNKNOWN: u32 = 25;

/// Writes into the registry about the workers of this broker.
pub struct Registration {
    pub(super) context: Arc<Context>,
    pub(super) members: Arc<Members>,
    pub(super) workers: Arc<Workers>,
    pub(super) creators: Arc<Creators>,
    pub(super) lifecycle: Arc<Lifecycle>,
}

impl Registration {
    pub(super) fn new(lifecycle: &Arc<Lifecycle>) -> Arc<Self> {
        Arc::new(Self {
            context: lifecycle.context.clone(),
            members: lifecycle.members.clone(),
            workers: lifecycle.workers.clone(),
            creators: lifecycle.creators.clone(),
            lifecycle: lifecycle.clone(),
        })
    }

    /// Sends what is collected, as long as the life goes on.
    pub async fn keep_registry(self: Arc<Self>) {
        loop {
            self.workers.registrar.wake.notified().await;
            while let Some(work) = self.workers.registrar.next() {
                tokio::join!(
                    self.send_take_ups(work.take_up),
                    // A worker that ended right after its activation is confirmed first.
                    async {
                        self.send_confirms(work.confirm).await;
                        // An entry that is released must not be put back after it.
                        self.send_finished(work.finish).await;
                        self.send_releases(work.release).await;
                    },
                    self.send_sleeps(work.sleep),
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
        let turn = self.workers.registrar.turn.read().await;
        match self.context.coordinator.activate(&self.context.incarnation, &ids).await {
            Ok(Activation::Unsettled) => {
                drop(turn);
                self.members.check_server();
                self.members.changes.wait_to_settle(RETRY).await;
                for (id, creators) in work {
                    lock(&self.workers.registrar.work).take_up.entry(id).or_default().extend(creators);
                }
                self.workers.registrar.wake.notify_one();
            }
            Ok(Activation::Answers(entries)) => {
                for (id, entry) in ids.into_iter().zip(entries) {
                    let creators = work.remove(&id).unwrap_or_default();
                    match entry {
                        Some(entry) => self.lifecycle.move_in(entry, creators),
                        None => {
                            let text = format!("The worker \"{id}\" does not stand under this broker.");
                            self.creators.tell_creators(creators, &Err(Failure::new(Code::WorkerNotFound, text)));
                        }
                    }
                }
            }
            Err(error) => {
                // It may have been applied: then the audit finds what stands here without living here.
                self.workers.audit();
                for (_, creators) in work {
                    self.creators.tell_creators(creators, &Err(Failure::new(Code::Redis, error.to_string())));
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
        work.iter().for_each(|(handle, ..)| self.lifecycle.confirmed(*handle));
        if let Err(error) = told {
            self.context.log(Level::Debug, format!("Activations could not be confirmed yet: {error}"));
            tokio::time::sleep(RETRY).await;
            work.into_iter().for_each(|(handle, id, epoch)| self.workers.registrar.confirm(handle, id, epoch));
        }
    }

    async fn send_releases(self: &Arc<Self>, work: Vec<(Option<Handle>, Release)>) {
        if work.is_empty() {
            return;
        }
        let releases: Vec<Release> = work.iter().map(|(_, release)| release.clone()).collect();
        loop {
            let turn = self.workers.registrar.turn.read().await;
            match self.context.coordinator.release(&self.context.incarnation, &releases).await {
                Ok(_) => {
                    return work
                        .into_iter()
                        .filter_map(|(handle, _)| handle)
                        .for_each(|handle| self.lifecycle.move_out(handle))
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
            let turn = self.workers.registrar.turn.read().await;
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

    /// Idle workers are asleep once the registry says so; until it does their messages wait.
    async fn send_sleeps(self: &Arc<Self>, work: Vec<(Handle, Sleep, u32)>) {
        if work.is_empty() {
            return;
        }
        let sleeps: Vec<Sleep> = work.iter().map(|(_, sleep, _)| sleep.clone()).collect();
        let turn = self.workers.registrar.turn.read().await;
        let answers = match self.context.coordinator.sleep(&self.context.incarnation, &sleeps).await {
            Ok(answers) => answers,
            Err(error) => {
                self.context.log(Level::Warn, format!("Idle workers could not be put to sleep yet: {error}"));
                vec![Slept::Unsettled; sleeps.len()]
            }
        };
        let settled = self.workers.may_sleep();
        let mut again = Vec::new();
        for ((handle, sleep, unknown), slept) in work.into_iter().zip(answers) {
            let unknown = unknown + u32::from(settled);
            if slept == Slept::Unsettled && unknown < UNKNOWN {
                again.push((handle, sleep, unknown));
            } else {
                self.lifecycle.move_out(handle);
            }
        }
        drop(turn);
        if again.is_empty() {
            return;
        }
        self.members.check_server();
        let registration = self.clone();
        self.context.spawn("sleeping", async move {
            registration.members.changes.wait_to_settle(RETRY).await;
            let registrar = &registration.workers.registrar;
            again.into_iter().for_each(|(handle, sleep, unknown)| registrar.sleep(handle, sleep, unknown));
        });
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
            let mut work = lock(&self.workers.registrar.work);
            for change in changes {
                work.loads.entry(change.id).or_insert((change.epoch, change.load));
            }
            self.workers.registrar.wake.notify_one();
        }
    }
}
