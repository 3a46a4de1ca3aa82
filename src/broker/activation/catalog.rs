//! The workers that live in this broker: their state, their mailbox, who waits for their creation. Pure.

use crate::broker::activation::mailbox::{Mailbox, Turns, MAX_MAILBOX};
use crate::broker::activation::requests::MAX_CREATING_PER_CONNECTION;
use crate::broker::js::delivery::{Delivery, Handle};
use crate::clock::boot_millis;
use crate::coordination::{Entry, EntryState, Held, Loaded};
use crate::error::{Failure, Outcome};
use crate::ids::{ClassName, Epoch, WorkerId};
use crate::transport::Connection;
use crate::wire::call_chain::{Chain, Link};
use crate::wire::message::Payload;
use bytes::Bytes;
use rustc_hash::FxHashMap;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::Arc;
use tokio::sync::oneshot;

/// Messages that wait for a worker and whose chains are looked at for a call of its `onCreate` or `onDestroy`.
const MAX_CHAINS: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Being constructed, or in `onCreate`: messages wait.
    Activating,
    Active,
    /// In `onDestroy`, or being given up in the registry: messages wait, and go back.
    Leaving,
}

/// One of the workers that a peer waits for, counted against the limit of its connection until it is answered or dropped.
pub struct CreationPlace(Arc<Connection>);

impl CreationPlace {
    /// `None`: the peer waits for too many already.
    pub fn take(connection: &Arc<Connection>) -> Option<Self> {
        let place = Self(connection.clone());
        // A place that is not to be had is given back as it is dropped.
        let taken = connection.creating().fetch_add(1, Ordering::AcqRel);
        (taken < MAX_CREATING_PER_CONNECTION).then_some(place)
    }

    pub fn connection(&self) -> &Arc<Connection> {
        &self.0
    }
}

impl Drop for CreationPlace {
    fn drop(&mut self) {
        self.0.creating().fetch_sub(1, Ordering::AcqRel);
    }
}

/// Where the answer to a request for a worker goes.
pub enum Requester {
    Remote { place: CreationPlace, call: u64, deadline: u64 },
    Internal(oneshot::Sender<Outcome<Activated>>),
}

/// A worker is active. `failed`: what its `onCreate` failed with all the same.
#[derive(Clone, Default, Debug)]
pub struct Activated {
    pub failed: Option<Arc<str>>,
}

impl Activated {
    /// As a creator of another broker is told.
    pub fn payload(&self) -> Payload {
        let text = self.failed.as_ref().map(|text| serde_json::Value::from(&**text).to_string());
        text.map_or(Payload::ABSENT, |text| Payload::json(Bytes::from(text)))
    }

    /// What another broker told; something else than a text says nothing.
    pub fn read(payload: &Payload) -> Self {
        if payload.bytes.is_empty() {
            return Self::default();
        }
        Self { failed: serde_json::from_slice::<String>(&payload.bytes).ok().map(Arc::from) }
    }
}

/// Who waits until a worker is there.
pub struct Creator {
    pub requester: Requester,
    /// The workers that wait for this request.
    pub chain: Chain,
}

impl Creator {
    /// A creator of this broker, and where it hears of the outcome.
    pub fn internal(chain: Chain) -> (Self, oneshot::Receiver<Outcome<Activated>>) {
        let (sender, receiver) = oneshot::channel();
        (Self { requester: Requester::Internal(sender), chain }, receiver)
    }

    /// Whether the answer still reaches anybody.
    pub fn is_waiting(&self, now: u64) -> bool {
        match &self.requester {
            Requester::Remote { place, deadline, .. } => now < *deadline && place.connection().is_open(),
            Requester::Internal(sender) => !sender.is_closed(),
        }
    }
}

/// How the making of a worker goes on, and who waits for it.
#[derive(Default)]
pub struct Making {
    /// Who waits until it is there.
    pub creators: Vec<Creator>,
    /// Creators that came while it was leaving: answered when it is gone, in their order.
    pub late_creators: Vec<Creator>,
    /// What is said to its creators once it is active.
    pub activated: Activated,
    /// Its activation ended well and the registry is being told: creators wait until it knows.
    pub confirming: bool,
    /// Why it could not be made; its creators are told when it is given up in the registry, so that they find no trace.
    pub failure: Option<Box<Failure>>,
}

/// A worker that lives here.
pub struct Resident {
    /// As it was placed or claimed.
    pub entry: Arc<Entry>,
    pub id: WorkerId,
    pub class: ClassName,
    pub epoch: Epoch,
    pub state: State,
    pub mailbox: Mailbox,
    /// Of a worker that takes one message at a time.
    pub turns: Option<Turns>,
    /// How its making goes on, and who waits for it.
    pub making: Making,
    /// It ends for good: there is no next instance that its messages could wait for.
    pub ends: bool,
    /// As the registry has it.
    pub load: u64,
    /// The same worker again, which came to stand here before this one was gone.
    pub successor: Option<Box<(Entry, Vec<Creator>)>>,
    /// It ended for good: whatever becomes of this broker, it is not recovered.
    pub finished: bool,
    /// When it came here, on the local clock.
    pub since: u64,
    /// It was made again after its broker ended.
    pub recovered: bool,
}

impl Resident {
    /// Why this ask cannot wait until the worker is gone; `None`: it can.
    pub fn refusal(&self, delivery: &Delivery) -> Option<Refusal> {
        let chain = &delivery.envelope.chain;
        let waits = |turns: &Turns| turns.is_waited_for(&self.id, delivery);
        match self.state {
            _ if !delivery.origin.is_ask() => None,
            State::Active => None,
            _ if chain.waits_in_step(&self.id, self.epoch) || self.turns.as_ref().is_some_and(waits) => {
                Some(Refusal::Cycle)
            }
            State::Leaving if self.ends => Some(Refusal::Ends),
            State::Leaving if chain.has_ending() => Some(Refusal::Moves),
            _ => None,
        }
    }

    /// Who waits for the calls of its `onCreate` or `onDestroy`: it itself, who creates it, and the senders of the messages
    /// that wait for it. `is_wanted`: whether the sender of a message still waits.
    pub fn chain_of_step(&self, is_wanted: impl Fn(&Delivery) -> bool) -> Chain {
        let now = boot_millis();
        let creators = self.making.creators.iter().chain(&self.making.late_creators);
        let creators = creators.filter(|creator| creator.is_waiting(now)).map(|creator| &creator.chain);
        let messages = self.mailbox.first(MAX_CHAINS).filter(|delivery| is_wanted(delivery));
        let waiting = Chain::merged(creators.chain(messages.map(|delivery| &delivery.envelope.chain)));
        waiting.with(match self.state {
            State::Leaving => Link::ending(self.id.clone(), self.epoch),
            _ => Link::creating(self.id.clone(), self.epoch),
        })
    }

    /// Whether the worker cannot answer a creator of this chain before that creator has its answer.
    pub fn waits_for_creator(&self, chain: &Chain) -> bool {
        let in_turn = |turns: &Turns| turns.current > 0 && chain.holds(&self.id, turns.current);
        match self.state {
            State::Activating => chain.waits_in_step(&self.id, self.epoch),
            State::Active => false,
            // One that ends by itself waits for the asks that it handles.
            State::Leaving => {
                chain.waits_in_step(&self.id, self.epoch)
                    || self.turns.as_ref().is_some_and(in_turn)
                    || (self.ends && chain.passes_through(&self.id))
            }
        }
    }

    /// Whether it outlives its process.
    pub fn is_lasting(&self) -> bool {
        self.entry.recoverable || self.entry.lasting.kept
    }

    /// It is not recovered from now on: its entry as the registry is to have it.
    pub fn finish(&mut self) -> Held {
        self.finished = true;
        let mut entry = Entry { recoverable: false, ..(*self.entry).clone() };
        entry.lasting.kept = false;
        self.entry = Arc::new(entry);
        Held { entry: (*self.entry).clone(), state: EntryState::Active, load: self.load }
    }

    /// Something of it is stored: from now on only its own end deletes it.
    pub fn keep(&mut self) {
        if self.finished || self.entry.lasting.has_data {
            return;
        }
        let mut entry = (*self.entry).clone();
        (entry.lasting.kept, entry.lasting.has_data) = (true, true);
        self.entry = Arc::new(entry);
    }

    fn admit(&mut self, mut delivery: Delivery, last_inbound: &AtomicU64) -> Admission {
        match self.refusal(&delivery) {
            None => {}
            Some(Refusal::Cycle) => return Admission::Cycle(delivery),
            Some(refusal) => return Admission::Ending(delivery, refusal),
        }
        let limit = match (&mut self.turns, self.state) {
            (None, State::Active) => return Admission::Ready(delivery),
            (Some(turns), State::Active) => {
                if turns.is_waited_for(&self.id, &delivery) {
                    return Admission::Cycle(delivery);
                }
                if turns.current == 0 && self.mailbox.is_empty() {
                    turns.begin(&mut delivery, last_inbound);
                    return Admission::Ready(delivery);
                }
                turns.max_queue
            }
            _ => MAX_MAILBOX,
        };
        match self.mailbox.push(delivery, limit) {
            None => Admission::Held,
            Some(delivery) => Admission::Full(delivery),
        }
    }
}

/// Why an ask cannot wait for a worker that starts no handler.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The worker waits for this ask, in its turn, its `onCreate` or its `onDestroy`.
    Cycle,
    /// The worker ends for good.
    Ends,
    /// The worker is being handed over, and who asks is ending: the two could wait for each other.
    Moves,
}

/// What became of a worker that is to live here.
pub(crate) enum Insertion {
    New(Handle),
    /// It lives here already.
    Here(Vec<Creator>),
    /// As soon as its predecessor is gone.
    Later,
}

/// What becomes of a message to a worker.
#[derive(Debug)]
pub enum Admission {
    /// It can be handled now.
    Ready(Delivery),
    /// It waits in the mailbox.
    Held,
    /// The mailbox is full: it goes back.
    Full(Delivery),
    /// There is no such worker here: it goes back.
    Absent(Delivery),
    /// The worker is at a message that waits for this one.
    Cycle(Delivery),
    /// The worker is going, and this ask cannot wait for that.
    Ending(Delivery, Refusal),
}

/// The workers that live in this broker, by handle and by id.
pub(crate) struct Residents {
    by_id: HashMap<WorkerId, Handle>,
    /// Boxed, because a table has up to 2.3 places for each worker.
    by_handle: FxHashMap<Handle, Box<Resident>>,
    last: Arc<AtomicU32>,
    last_inbound: Arc<AtomicU64>,
}

impl Residents {
    /// `last` is shared by all lives of a broker, so that a handle is never used again; so is `last_inbound`, which
    /// numbers the messages that are being handled.
    pub(crate) fn new(last: Arc<AtomicU32>, last_inbound: Arc<AtomicU64>) -> Self {
        Self { by_id: HashMap::new(), by_handle: FxHashMap::default(), last, last_inbound }
    }

    /// Takes a worker in. One that is here already stays: its creators are given back; one that is leaving remembers
    /// its successor.
    pub(crate) fn insert(&mut self, entry: &Arc<Entry>, data: &Loaded, load: u64, creators: Vec<Creator>) -> Insertion {
        if let Some((_, resident)) = self.by_id_mut(entry.id.as_str()) {
            if resident.state != State::Leaving || resident.epoch >= entry.epoch {
                return Insertion::Here(creators);
            }
            let before = resident.successor.take().map(|successor| successor.1).unwrap_or_default();
            let creators = before.into_iter().chain(creators).collect();
            let mut entry = (**entry).clone();
            entry.lasting.data = data.clone();
            resident.successor = Some(Box::new((entry, creators)));
            return Insertion::Later;
        }
        let handle = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let resident = Resident {
            entry: entry.clone(),
            id: entry.id.clone(),
            class: entry.class.clone(),
            epoch: entry.epoch,
            state: State::Activating,
            mailbox: Mailbox::default(),
            turns: None,
            making: Making { creators, ..Making::default() },
            ends: false,
            load,
            successor: None,
            finished: false,
            since: boot_millis(),
            recovered: entry.cause == crate::coordination::Cause::Recovery,
        };
        self.by_id.insert(entry.id.clone(), handle);
        self.by_handle.insert(handle, Box::new(resident));
        Insertion::New(handle)
    }

    pub(crate) fn handle(&self, worker: &str) -> Option<Handle> {
        self.by_id.get(worker).copied()
    }

    pub(crate) fn get_mut(&mut self, handle: Handle) -> Option<&mut Resident> {
        self.by_handle.get_mut(&handle).map(Box::as_mut)
    }

    pub(crate) fn by_id_mut(&mut self, worker: &str) -> Option<(Handle, &mut Resident)> {
        let handle = *self.by_id.get(worker)?;
        self.by_handle.get_mut(&handle).map(|resident| (handle, resident.as_mut()))
    }

    pub(crate) fn remove(&mut self, handle: Handle) -> Option<Resident> {
        let resident = self.by_handle.remove(&handle)?;
        self.by_id.remove(&resident.id);
        Some(*resident)
    }

    /// Lets a message in, in the order of the calls. The delivery's handle is set here.
    pub(crate) fn admit(&mut self, mut delivery: Delivery) -> Admission {
        let Some(handle) = self.by_id.get(&delivery.envelope.worker) else {
            return Admission::Absent(delivery);
        };
        delivery.handle = *handle;
        match self.by_handle.get_mut(handle) {
            // Meant for another activation: what that one was sent before may still be on its way back.
            Some(resident) if resident.epoch != delivery.envelope.epoch => Admission::Absent(delivery),
            Some(resident) => resident.admit(delivery, &self.last_inbound),
            None => Admission::Absent(delivery),
        }
    }

    /// The worker is done with a message, whose handler ran or not: the next one, whose turn begins, and how long its
    /// turns take, ms.
    pub(crate) fn next_turn(&mut self, handle: Handle, ended: u64, handled: bool) -> Option<(Delivery, u64)> {
        let resident = self.by_handle.get_mut(&handle)?;
        let turns = resident.turns.as_mut()?;
        turns.end(ended, handled);
        if turns.current > 0 || resident.state != State::Active {
            return None;
        }
        let mut delivery = resident.mailbox.pop()?;
        turns.begin(&mut delivery, &self.last_inbound);
        Some((delivery, turns.usual()))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Handle, &Resident)> {
        self.by_handle.iter().map(|(handle, resident)| (*handle, resident.as_ref()))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Resident> {
        self.by_handle.values_mut().map(Box::as_mut)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_handle.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_worker_has_is_small_and_what_few_have_is_apart() {
        assert!(size_of::<Resident>() <= 256, "{} bytes", size_of::<Resident>());
    }
}
