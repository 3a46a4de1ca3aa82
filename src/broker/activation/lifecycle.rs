//! The workers that live here, as JavaScript reports on them: made, failed, leaving, gone, their loads and answers.

use crate::broker::activation::catalog::{Activated, Creator, Requester, Resident, State};
use crate::broker::activation::mailbox::Turns;
use crate::broker::activation::turns::ending;
use crate::broker::calls::table::Settled;
use crate::broker::incarnation::Life;
use crate::broker::js::delivery::Origin;
use crate::broker::js::delivery::{Delivery, Handle};
use crate::broker::js::event::{DestroyCause, Event};
use crate::broker::js::report::{Creation, Ended};
use crate::broker::output::answer::Answer;
use crate::broker::output::failure::send_failure;
use crate::clock::boot_millis;
use crate::coordination::{Cause, Fate, Release};
use crate::error::{Code, Delivered, Failure, Outcome};
use crate::ids::{ClassName, WorkerId};
use crate::level::Level;
use crate::lock::lock;
use crate::transport::SendError;
use crate::wire::codec;
use crate::wire::message::{Message, PayloadRef};
use bytes::Bytes;
use std::sync::Arc;

impl Life {
    /// Its construction and `onCreate` ended. `message`: what one of them failed with, if anything. `max_queue`: it takes one message at a time, and so many wait at most.
    pub fn created(&self, handle: Handle, creation: Creation, message: &str, max_queue: Option<usize>) {
        if self.output.holds_back(|| Answer::Created { handle, creation, message: message.into(), max_queue }) {
            return;
        }
        if creation != Creation::Done {
            return self.creation_failed(handle, creation, message);
        }
        let (creators, activated, deaths) = {
            let mut residents = lock(&self.residents);
            let Some(resident) = residents.get_mut(handle) else { return };
            resident.state = State::Active;
            resident.activated.failed = (!message.is_empty()).then(|| message.into());
            resident.turns = max_queue.map(Turns::new);
            if max_queue.is_none() {
                while let Some(delivery) = resident.mailbox.pop() {
                    self.context.inbox.push(Event::Message(delivery));
                }
            }
            // A worker that is never recovered never needs to know whether it was made before.
            resident.confirming = resident.entry.recoverable;
            let deaths = resident.entry.history.deaths;
            if resident.confirming {
                self.registrar.confirm(handle, resident.id.clone(), resident.epoch);
                (Vec::new(), Activated::default(), deaths)
            } else {
                (std::mem::take(&mut resident.creators), resident.activated.clone(), deaths)
            }
        };
        self.created_on_trial(handle, deaths);
        self.next_turn(handle, 0, false);
        self.tell_creators(creators, &Ok(activated));
        if self.context.is_leaving() {
            self.context.inbox.push(Event::Destroy { handle, cause: DestroyCause::System });
        }
    }

    /// Whether the worker is to be made at all: not one that was never made before and whose creators have all given up.
    pub fn is_to_be_made(self: &Arc<Self>, handle: Handle) -> bool {
        let now = boot_millis();
        let release = {
            let mut residents = lock(&self.residents);
            let Some(resident) = residents.get_mut(handle) else { return true };
            let Resident { entry, creators, mailbox, .. } = &*resident;
            let first = entry.cause == Cause::New && entry.attempt <= 1;
            let wanted = creators.is_empty() || creators.iter().any(|creator| creator.is_waiting(now));
            if !first || wanted || !mailbox.is_empty() {
                return true;
            }
            resident.state = State::Leaving;
            Release { id: resident.id.clone(), epoch: resident.epoch, fate: Fate::Delete }
        };
        self.context
            .log(Level::Info, format!("The worker \"{}\" is not made: its creators have given up.", release.id));
        self.registrar.release(Some(handle), release);
        false
    }

    /// The registry knows that its activation ended well, or could not be told: its creators are answered.
    pub fn confirmed(&self, handle: Handle) {
        let (creators, activated) = {
            let mut residents = lock(&self.residents);
            let Some(resident) = residents.get_mut(handle) else { return };
            resident.confirming = false;
            (std::mem::take(&mut resident.creators), resident.activated.clone())
        };
        self.tell_creators(creators, &Ok(activated));
    }

    fn creation_failed(&self, handle: Handle, creation: Creation, message: &str) {
        let (release, recovered) = {
            let mut residents = lock(&self.residents);
            let Some(resident) = residents.get_mut(handle) else { return };
            resident.state = State::Leaving;
            // A class that is missing here may be at home elsewhere; a constructor that throws does so everywhere.
            let fate = match (creation, resident.recovered) {
                (Creation::ClassMissing, true) => Fate::Return,
                _ => Fate::Delete,
            };
            let release = Release { id: resident.id.clone(), epoch: resident.epoch, fate };
            let code = if creation == Creation::Threw { Code::Rejected } else { Code::ClassUnknown };
            resident.failure = Some(Failure::new(code, message));
            (release, resident.recovered)
        };
        if recovered && release.fate == Fate::Delete {
            self.context.inbox.push(Event::WorkerLost { id: release.id.to_string(), reason: message.into() });
        }
        let next = if release.fate == Fate::Return { "It is tried again" } else { "It is removed" };
        self.context.log(Level::Error, format!("Worker \"{}\" could not be activated: {message}. {next}.", release.id));
        self.registrar.release(Some(handle), release);
    }

    /// Waits with those who wait for a resident's creation; one that is there already is answered at once.
    pub fn join_creators(&self, worker: &WorkerId, creator: Creator) {
        let mut residents = lock(&self.residents);
        let result = match residents.by_id_mut(worker.as_str()) {
            Some((_, resident)) if resident.waits_for_creator(&creator.chain) => {
                let text = format!("The call would wait for itself: {} → createWorker \"{worker}\".", creator.chain);
                Err(Failure::new(Code::Cycle, text))
            }
            Some((_, resident)) if resident.state == State::Activating || resident.confirming => {
                resident.creators.push(creator);
                return;
            }
            Some((_, resident)) if resident.state == State::Active => Ok(Activated::default()),
            Some((_, resident)) => {
                resident.late_creators.push(creator);
                return;
            }
            None => Err(Failure::new(Code::WorkerNotFound, format!("The worker \"{worker}\" is not here any more."))),
        };
        drop(residents);
        self.tell_creators(vec![creator], &result);
    }

    pub fn tell_creators(&self, creators: Vec<Creator>, result: &Outcome<Activated>) {
        for Creator { requester, .. } in creators {
            match requester {
                // Nobody waits any more: it timed out.
                Requester::Internal(sender) => drop(sender.send(result.clone())),
                Requester::Remote { place, call, .. } => {
                    let message = match result {
                        Ok(activated) => Message::Reply { call, payload: activated.payload() },
                        Err(failure) => Message::Failure {
                            call,
                            code: failure.code,
                            message: Bytes::copy_from_slice(failure.message.as_bytes()),
                            body: Bytes::new(),
                        },
                    };
                    self.output.reply_to(place.connection(), &message);
                }
            }
        }
    }

    /// It ends for good: the registry learns that it is not to be recovered, before its `onDestroy` begins. So it is not
    /// recovered either where its process ends right after that. Answers under `slot`; `false`: there is nothing to wait for.
    pub fn finish(&self, handle: Handle, slot: u64) -> bool {
        let held = {
            let mut residents = lock(&self.residents);
            let Some(resident) = residents.get_mut(handle).filter(|resident| resident.entry.recoverable) else {
                return false;
            };
            resident.finish()
        };
        self.registrar.finish(held, slot);
        true
    }

    /// No handler of it starts any more. What arrives from now on waits, and goes back when it is gone, but for asks that cannot
    /// wait for that. `recover`: it is to be made again elsewhere, where it is recoverable.
    pub fn destroying(&self, handle: Handle, recover: bool) {
        let mut refused = Vec::new();
        {
            let mut residents = lock(&self.residents);
            let Some(resident) = residents.get_mut(handle) else { return };
            if resident.state == State::Activating {
                let text = format!("The worker \"{}\" was destroyed before its onCreate ended.", resident.id);
                resident.failure = Some(Failure::new(Code::WorkerNotFound, text));
            }
            resident.state = State::Leaving;
            resident.ends = !(recover && resident.entry.recoverable);
            for delivery in resident.mailbox.take_all() {
                match resident.refusal(&delivery) {
                    None => resident.mailbox.put_back(delivery),
                    Some(refusal) => refused.push((delivery, refusal)),
                }
            }
        }
        refused.iter().for_each(|(delivery, refusal)| self.refuse_ask(delivery, ending(delivery, *refusal)));
    }

    /// Its `onCreate` or `onDestroy` begins to make calls: a number for them, so that they know who waits. Given back by
    /// [`Life::handled`].
    pub fn open_step(&self, handle: Handle) -> u64 {
        lock(&self.inbound).open_step(handle)
    }

    /// Its `onDestroy` ended: it is given up in the registry, then forgotten here.
    pub fn destroyed(self: &Arc<Self>, handle: Handle, fate: Fate, ended: Ended) {
        let mut residents = lock(&self.residents);
        let Some(resident) = residents.get_mut(handle) else { return };
        resident.state = State::Leaving;
        resident.finished = fate == Fate::Delete;
        let release = Release { id: resident.id.clone(), epoch: resident.epoch, fate };
        drop(residents);
        self.part_with(handle, release, ended);
    }

    /// It stands under this incarnation no longer: messages that waited look for its next place.
    pub fn move_out(self: &Arc<Self>, handle: Handle) {
        self.end_trial(handle);
        let mut touched = Vec::new();
        let (successor, waiting, late) = {
            // Both locks: nobody may see the worker gone before all that waited for it is back in its place.
            let mut lanes = self.directory.routes.lanes();
            let mut residents = lock(&self.residents);
            let Some(mut resident) = residents.remove(handle) else { return };
            while let Some(delivery) = resident.mailbox.pop() {
                if let Origin::Remote { connection, .. } = &delivery.origin {
                    touched.push(connection.clone());
                }
                self.return_to_sender(&mut lanes, delivery, Code::WorkerNotFound);
            }
            let outcome = resident.failure.map_or(Ok(resident.activated), Err);
            (resident.successor, (resident.creators, outcome), resident.late_creators)
        };
        let (creators, outcome) = waiting;
        let ended = Failure::new(Code::WorkerNotFound, "The worker has ended.");
        let successor = match successor {
            Some((entry, creators)) => Some((entry, creators.into_iter().chain(late).collect())),
            None => {
                self.tell_creators(late, &Err(ended));
                None
            }
        };
        // Without a failure it was made, and ended before the registry was told so.
        self.tell_creators(creators, &outcome);
        touched.dedup_by(|a, b| Arc::ptr_eq(a, b));
        touched.iter().for_each(|connection| self.output.flush_to(connection));
        if let Some((entry, creators)) = successor {
            self.move_in(entry, creators);
        }
        self.departed.notify_waiters();
    }

    pub fn set_load(&self, handle: Handle, load: u64) {
        let mut residents = lock(&self.residents);
        let Some(resident) = residents.get_mut(handle) else { return };
        if resident.load != load {
            resident.load = load;
            let (id, epoch) = (resident.id.clone(), resident.epoch);
            drop(residents);
            self.registrar.load(id, epoch, load);
        }
    }

    /// JavaScript got a message for a worker that takes none (any more).
    pub fn refuse(self: &Arc<Self>, delivery: Delivery) {
        let mut residents = lock(&self.residents);
        match residents.get_mut(delivery.handle) {
            Some(resident) if resident.state == State::Leaving => match resident.refusal(&delivery) {
                None => {
                    lock(&self.inbound).give_to(delivery.inbound, 0);
                    resident.mailbox.put_back(delivery);
                }
                Some(refusal) => {
                    drop(residents);
                    self.refuse_ask(&delivery, ending(&delivery, refusal));
                }
            },
            _ => {
                drop(residents);
                let (turn, worker, inbound) = (delivery.turn, delivery.handle, delivery.inbound);
                self.send_back(delivery, Code::WorkerNotFound);
                if turn {
                    self.next_turn(worker, inbound, false);
                }
            }
        }
    }

    /// The handler's result.
    pub fn reply(&self, inbound: u64, payload: PayloadRef<'_>) {
        if self.output.holds_back(|| Answer::Reply { inbound, payload: payload.copied() }) {
            return;
        }
        match self.handled(inbound) {
            None => {}
            Some(Origin::Local { slot }) if payload.bytes.len() > self.context.config.max_message_bytes => {
                let length = payload.bytes.len();
                let failure = send_failure(SendError::TooLarge { length, max: self.context.config.max_message_bytes });
                let failure = Failure::new(failure.code, format!("The result is too large. {}", failure.message))
                    .with_delivered(Delivered::Yes);
                self.calls.fail(slot, failure);
            }
            Some(Origin::Local { slot }) => {
                if self.calls.end(slot).is_some() {
                    self.context.inbox.push_quietly(Event::Done { slot, value: payload.copied() });
                }
            }
            Some(Origin::Remote { connection, call }) => {
                let max = connection.max_message_bytes();
                let written = connection.answer_with(|out| codec::encode_reply(out, max, call, payload));
                if let Err(SendError::TooLarge { length, max }) = written {
                    let failure = send_failure(SendError::TooLarge { length, max });
                    let message = Bytes::from(format!("The result is too large. {}", failure.message));
                    self.output.write_failure(&connection, call, Code::TooLarge, message, Bytes::new());
                }
                self.output.answered(&connection);
            }
        }
    }

    /// The handler failed; `body` is its error as JSON text.
    pub fn fail(&self, inbound: u64, message: &str, body: &str) {
        if self.output.holds_back(|| Answer::Failure { inbound, message: message.into(), body: body.into() }) {
            return;
        }
        match self.handled(inbound) {
            None => {}
            Some(Origin::Local { slot }) => {
                let failure = Failure::new(Code::Rejected, message);
                let body = Bytes::copy_from_slice(body.as_bytes());
                self.calls.settle(slot, Settled::Failure { failure, body });
            }
            Some(Origin::Remote { connection, call }) => {
                let message = Bytes::copy_from_slice(message.as_bytes());
                self.output.write_failure(
                    &connection,
                    call,
                    Code::Rejected,
                    message,
                    Bytes::copy_from_slice(body.as_bytes()),
                );
                self.output.answered(&connection);
            }
        }
    }

    /// The class of this resident is offered no longer; which one that is.
    pub fn unhost(&self, handle: Handle) -> Option<ClassName> {
        let class = lock(&self.residents).get_mut(handle)?.class.clone();
        self.membership.members.unhost(&class);
        Some(class)
    }
}
