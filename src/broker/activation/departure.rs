//! What becomes of the asks that a worker still handles when it is given up in the registry: none outlives it there.
//!
//! From the release on the worker may live elsewhere, so an answer of this instance must not count: its callers are told
//! before. One that ended itself for good (`worker.destroy()`) may answer first, as its handler may have called that.

use crate::broker::activation::catalog::State;
use crate::broker::activation::lifecycle::Lifecycle;
use crate::broker::calls::table::Place;
use crate::broker::js::delivery::{Handle, Origin};
use crate::broker::js::event::{DestroyCause, Event};
use crate::broker::js::report::Ended;
use crate::clock::boot_millis;
use crate::coordination::{Fate, Release, Sleep};
use crate::error::{Code, Failure};
use crate::level::Level;
use crate::lock::lock;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

impl Lifecycle {
    /// Gives a worker up once the asks that it handles have ended: at once, or when they have had their time.
    pub fn part_with(self: &Arc<Self>, handle: Handle, release: Release, ended: Ended) {
        let (asks, deadline) = lock(&self.workers.inbound).handled_by(handle);
        if ended == Ended::Moved || asks.is_empty() || self.context.is_leaving() {
            self.cut_asks(handle, &asks);
            return self.workers.registrar.release(Some(handle), release);
        }
        let all = lock(&self.workers.inbound).await_end(handle, asks.len());
        let left = deadline.saturating_sub(boot_millis()).min(self.context.config.destroy_timeout);
        let lifecycle = self.clone();
        self.context.spawn("parting", async move {
            if !lifecycle.context.is_leaving() {
                // At the end of the time what is left is cut.
                let _ = tokio::time::timeout(Duration::from_millis(left), all.notified()).await;
            }
            lock(&lifecycle.workers.inbound).forget_end(handle);
            let (asks, _) = lock(&lifecycle.workers.inbound).handled_by(handle);
            lifecycle.cut_asks(handle, &asks);
            lifecycle.workers.registrar.release(Some(handle), release);
        });
    }

    /// The callers of these are told that no answer comes; one that comes nevertheless meets nobody.
    pub fn cut_asks(self: &Arc<Self>, handle: Handle, asks: &[u64]) {
        if asks.is_empty() {
            return;
        }
        let worker =
            lock(&self.workers.residents).get_mut(handle).map(|resident| resident.id.to_string()).unwrap_or_default();
        let text = format!("The worker \"{worker}\" ended, or moved, while it handled the call.");
        for inbound in asks {
            let unwanted = lock(&self.workers.inbound).is_cancelled(*inbound);
            // What the handler asked ends with it, and its context tells.
            self.workers.withdraw([(0, Place::Here { inbound: *inbound })]);
            let closed = lock(&self.workers.inbound).close(*inbound);
            match closed.as_ref().map(|closed| closed.place.origin()) {
                None => {}
                Some(Origin::Local { slot }) if !unwanted => {
                    self.calls.fail(*slot, Failure::new(Code::PeerLost, &text))
                }
                Some(Origin::Local { .. }) => {}
                Some(Origin::Remote { connection, call }) => {
                    if !unwanted {
                        let message = Bytes::copy_from_slice(text.as_bytes());
                        self.output.write_failure(connection, *call, Code::PeerLost, message, Bytes::new());
                    }
                    self.output.mark_dirty(connection);
                    self.output.flush_to(connection);
                }
            }
        }
    }

    /// Its `onDestroy` ended: it is given up in the registry, then forgotten here.
    pub fn destroyed(self: &Arc<Self>, handle: Handle, fate: Fate, ended: Ended) {
        let mut residents = lock(&self.workers.residents);
        let Some(resident) = residents.get_mut(handle) else { return };
        resident.state = State::Leaving;
        resident.finished = fate == Fate::End || fate == Fate::Delete && !resident.entry.lasting.kept;
        let release = Release { id: resident.id.clone(), epoch: resident.epoch, fate };
        drop(residents);
        self.part_with(handle, release, ended);
    }

    /// The `onDestroy` of an idle worker ended: its entry is asleep from now on. Messages that wait for it wake it again.
    pub fn asleep(self: &Arc<Self>, handle: Handle) {
        let sleep = {
            let mut residents = lock(&self.workers.residents);
            let Some(resident) = residents.get_mut(handle) else { return };
            resident.state = State::Leaving;
            Sleep { id: resident.id.clone(), epoch: resident.epoch }
        };
        // None of its handlers runs; an ask that was given to JavaScript and not started ends here.
        let (asks, _) = lock(&self.workers.inbound).handled_by(handle);
        self.cut_asks(handle, &asks);
        self.workers.registrar.sleep(handle, sleep, 0);
    }

    /// Another instance has a higher epoch: this one ends.
    pub(super) fn fence(self: &Arc<Self>, handle: Handle) {
        if let Some(resident) = lock(&self.workers.residents).get_mut(handle) {
            // From now on what arrives waits in the mailbox, behind what is in the queue already.
            resident.state = State::Leaving;
            self.context
                .log(Level::Error, format!("The worker \"{}\" lives elsewhere too: this instance ends.", resident.id));
        }
        for delivery in self.context.inbox.forget(|gone| gone == handle) {
            self.workers.send_back(delivery, Code::WorkerNotFound);
        }
        let (asks, _) = lock(&self.workers.inbound).handled_by(handle);
        self.cut_asks(handle, &asks);
        self.context.inbox.push(Event::Destroy { handle, cause: DestroyCause::Fenced });
        self.move_out(handle);
    }
}
