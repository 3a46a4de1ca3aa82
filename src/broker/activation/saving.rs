//! Writes the data of the workers of this broker: in batches, a few at a time.
//!
//! JavaScript has one write of a worker under way at most, so the writes of one batch are of different workers, and those that
//! are tried again delay no others.

use crate::broker::activation::lifecycle::Lifecycle;
use crate::broker::activation::workers::Workers;
use crate::broker::context::shared::Context;
use crate::broker::js::delivery::Handle;
use crate::broker::js::event::Event;
use crate::broker::membership::members::Members;
use crate::clock::boot_millis;
use crate::coordination::{Commit, Committed, CoordinationError, Stored, CHUNK};
use crate::error::{Code, Delivered, Failure};
use crate::lock::lock;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;

/// How many batches are under way at once.
pub(crate) const WRITERS: usize = 2;
/// Bytes of data in one batch, unless a single one is longer.
const BATCH_BYTES: usize = 1 << 20;
/// Between two tries of a write that was not settled.
const RETRY: Duration = Duration::from_millis(50);

/// Between two comparisons of all entries with the workers that live here, ms.
const VERIFY_INTERVAL: u64 = 500;

/// A write that JavaScript waits for.
struct Write {
    handle: Handle,
    slot: u64,
    commit: Commit,
    /// On the local clock: it is not tried again after this.
    give_up: u64,
}

/// Writes the data of the workers that live here.
pub struct Saving {
    context: Arc<Context>,
    members: Arc<Members>,
    workers: Arc<Workers>,
    lifecycle: Arc<Lifecycle>,
    queue: Mutex<VecDeque<Write>>,
    wake: Notify,
    /// When entries were last asked to be put back, on the local clock.
    verified: AtomicU64,
}

impl Saving {
    pub(super) fn new(lifecycle: &Arc<Lifecycle>) -> Arc<Self> {
        Arc::new(Self {
            context: lifecycle.context.clone(),
            members: lifecycle.members.clone(),
            workers: lifecycle.workers.clone(),
            lifecycle: lifecycle.clone(),
            queue: Mutex::default(),
            wake: Notify::new(),
            verified: AtomicU64::new(0),
        })
    }

    /// Stores the data of a worker that lives here. An event under `slot` says what became of it.
    pub(crate) fn save(&self, handle: Handle, slot: u64, data: Stored) {
        let known = lock(&self.workers.residents).get_mut(handle).map(|resident| (resident.id.clone(), resident.epoch));
        let Some((id, epoch)) = known else {
            return self.context.inbox.push(Event::failed(slot, replaced("It does not live here any more.")));
        };
        let give_up = boot_millis().saturating_add(self.context.config.rpc_timeout);
        lock(&self.queue).push_back(Write { handle, slot, commit: Commit { id, epoch, data }, give_up });
        self.wake.notify_one();
    }

    /// Writes what is queued, as long as the incarnation goes on. Several tasks run this.
    pub(crate) async fn keep_saving(self: Arc<Self>) {
        loop {
            self.wake.notified().await;
            while let Some(batch) = self.next_batch() {
                self.write(batch).await;
            }
        }
    }

    /// Fails what is queued: the incarnation ended.
    pub(crate) fn fail_everything(&self) {
        for write in std::mem::take(&mut *lock(&self.queue)) {
            let failure = Failure::new(Code::State, "The broker ended.").with_delivered(Delivered::Unknown);
            self.context.inbox.push(Event::failed(write.slot, failure));
        }
    }

    fn next_batch(&self) -> Option<Vec<Write>> {
        let mut queue = lock(&self.queue);
        let mut bytes = 0;
        let fits = queue.iter().take(CHUNK).take_while(|write| {
            bytes += write.commit.data.text.len() + write.commit.data.timers.text.len();
            bytes <= BATCH_BYTES
        });
        let count = fits.count().max(1).min(queue.len());
        let batch: Vec<Write> = queue.drain(..count).collect();
        let more = !queue.is_empty();
        drop(queue);
        if more {
            // Another task takes the next one meanwhile.
            self.wake.notify_one();
        }
        (!batch.is_empty()).then_some(batch)
    }

    async fn write(self: &Arc<Self>, batch: Vec<Write>) {
        let commits: Vec<Commit> = batch.iter().map(|write| write.commit.clone()).collect();
        // What is acknowledged is known to be kept before the entry may have to be put back.
        let turn = self.workers.registrar.turn.read().await;
        let answers = self.context.coordinator.commit(&self.context.incarnation, &commits).await;
        drop(commits);
        match answers {
            Ok(answers) => {
                let mut again = Vec::new();
                for (write, committed) in batch.into_iter().zip(answers) {
                    match committed {
                        Committed::Written => self.written(&write),
                        Committed::Fenced => self.fenced(&write),
                        Committed::Unsettled => again.push(write),
                    }
                }
                drop(turn);
                if !again.is_empty() {
                    // The entries are put back before the next try, or are there by then.
                    let failure = self.members.unsettled();
                    self.verify();
                    self.try_again(again, &failure);
                }
            }
            Err(CoordinationError::Unavailable(text)) => {
                drop(turn);
                self.try_again(batch, &Failure::new(Code::Redis, text));
            }
            Err(error) => {
                drop(turn);
                let failure = Failure::new(Code::Redis, error.to_string());
                batch.iter().for_each(|write| self.context.inbox.push(Event::failed(write.slot, failure.clone())));
            }
        }
    }

    /// An entry may be missing although the server is the one that is known.
    fn verify(&self) {
        let (now, last) = (boot_millis(), self.verified.load(Ordering::Relaxed));
        if now.saturating_sub(last) >= VERIFY_INTERVAL {
            self.verified.store(now, Ordering::Relaxed);
            self.members.changes.verify();
        }
    }

    fn written(&self, write: &Write) {
        if let Some(resident) = lock(&self.workers.residents).get_mut(write.handle) {
            resident.keep();
        }
        self.context.inbox.push(Event::done(write.slot));
    }

    fn fenced(&self, write: &Write) {
        self.lifecycle.fence(write.handle);
        let text = "Another instance of it was activated, and this one ends.";
        self.context.inbox.push(Event::failed(write.slot, replaced(text)));
    }

    /// `failure`: what those whose time is over fail with.
    fn try_again(self: &Arc<Self>, writes: Vec<Write>, failure: &Failure) {
        let now = boot_millis();
        let (left, late): (Vec<Write>, Vec<Write>) = writes.into_iter().partition(|write| write.give_up > now);
        for write in late {
            let text = format!("The write was not acknowledged in time. {}", failure.message);
            self.context.inbox.push(Event::failed(write.slot, Failure::new(Code::Timeout, text)));
        }
        if left.is_empty() {
            return;
        }
        lock(&self.queue).reserve(left.len());
        let saving = self.clone();
        self.context.spawn("saving again", async move {
            saving.members.changes.wait_to_settle(RETRY).await;
            lock(&saving.queue).extend(left);
            saving.wake.notify_one();
        });
    }
}

fn replaced(why: &str) -> Failure {
    Failure::new(Code::PeerLost, format!("The worker's data was not stored. {why}"))
}
