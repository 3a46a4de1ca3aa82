//! A worker comes to live here, or has left in the registry and is forgotten here.

use crate::broker::activation::catalog::{Creator, Insertion};
use crate::broker::activation::lifecycle::fails_messages;
use crate::broker::activation::lifecycle::Lifecycle;
use crate::broker::js::batch::is_one_json_object;
use crate::broker::js::delivery::{Handle, Origin};
use crate::broker::js::event::Event;
use crate::coordination::{Cause, Entry, Fate, Release, RESERVED_LOAD};
use crate::error::{Code, Failure};
use crate::level::Level;
use crate::lock::lock;
use std::sync::Arc;

impl Lifecycle {
    /// The attributes are no JSON object: another program wrote the entry. It is given up, and no worker is made.
    fn refuse_entry(&self, entry: Entry, creators: Vec<Creator>) {
        let text = format!("The attributes of the worker \"{}\" in Redis are not a JSON object", entry.id);
        self.context.log(Level::Error, format!("{text}: another program wrote them. The entry is deleted."));
        self.context.inbox.push(Event::WorkerLost { id: entry.id.to_string(), reason: text.clone() });
        self.creators.tell_creators(creators, &Err(Failure::new(Code::Redis, text)));
        self.workers.registrar.release(None, Release { id: entry.id, epoch: entry.epoch, fate: Fate::End });
    }

    /// A worker that stands under this incarnation begins to live here.
    pub fn move_in(self: &Arc<Self>, mut entry: Entry, creators: Vec<Creator>) {
        if !is_one_json_object(entry.attributes.as_bytes()) {
            return self.refuse_entry(entry, creators);
        }
        self.members.saw(&entry.id, entry.epoch);
        let searched = entry.attempt > 1 || entry.cause != Cause::New;
        // JavaScript has it from now on. An entry that waits for its turn keeps it.
        let data = std::mem::take(&mut entry.lasting.data);
        let entry = Arc::new(entry);
        let mut residents = lock(&self.workers.residents);
        match residents.insert(&entry, &data, RESERVED_LOAD, creators) {
            Insertion::New(handle) => {
                self.trials.judge_past(handle, &entry);
                drop(residents);
                self.context.inbox.push(Event::Create { handle, entry, data });
                if searched {
                    self.routes.wake_searches();
                }
            }
            Insertion::Later => {}
            Insertion::Here(creators) => {
                drop(residents);
                for creator in creators {
                    self.creators.join_creators(&entry.id, creator);
                }
            }
        }
    }

    /// It stands under this incarnation no longer: messages that waited look for its next place.
    pub fn move_out(self: &Arc<Self>, handle: Handle) {
        self.trials.end_trial(handle);
        let mut touched = Vec::new();
        let mut refused = Vec::new();
        let (successor, waiting, late) = {
            // Both locks: nobody may see the worker gone before all that waited for it is back in its place.
            let mut lanes = self.routes.lanes();
            let mut residents = lock(&self.workers.residents);
            let Some(mut resident) = residents.remove(handle) else { return };
            let failed = resident.making.failure.as_deref().filter(|failure| fails_messages(failure.code)).cloned();
            while let Some(delivery) = resident.mailbox.pop() {
                if let Some(failure) = failed.as_ref().filter(|_| delivery.origin.is_ask()) {
                    refused.push((delivery, failure.clone()));
                    continue;
                }
                if let Origin::Remote { connection, .. } = &delivery.origin {
                    touched.push(connection.clone());
                }
                let code = failed.as_ref().map_or(Code::WorkerNotFound, |failure| failure.code);
                self.workers.return_to_sender(&mut lanes, delivery, code);
            }
            let outcome = resident.making.failure.map_or(Ok(resident.making.activated), |failure| Err(*failure));
            (resident.successor, (resident.making.creators, outcome), resident.making.late_creators)
        };
        refused.into_iter().for_each(|(delivery, failure)| self.workers.refuse_ask(&delivery, failure));
        let (creators, outcome) = waiting;
        let ended = Failure::new(Code::WorkerNotFound, "The worker has ended.");
        let successor = match successor.map(|successor| *successor) {
            Some((entry, creators)) => Some((entry, creators.into_iter().chain(late).collect())),
            None => {
                self.creators.tell_creators(late, &Err(ended));
                None
            }
        };
        // Without a failure it was made, and ended before the registry was told so.
        self.creators.tell_creators(creators, &outcome);
        touched.dedup_by(|a, b| Arc::ptr_eq(a, b));
        touched.iter().for_each(|connection| self.output.flush_to(connection));
        if let Some((entry, creators)) = successor {
            self.move_in(entry, creators);
        }
        self.workers.departed.notify_waiters();
    }
}
