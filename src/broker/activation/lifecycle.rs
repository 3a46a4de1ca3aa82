//! The workers that live here, as JavaScript reports on them: made, failed, leaving, gone, their loads and answers.

use crate::broker::activation::catalog::{Activated, Making, Resident, State};
use crate::broker::activation::creators::Creators;
use crate::broker::activation::mailbox::Turns;
use crate::broker::activation::trials::Trials;
use crate::broker::activation::turns::ending;
use crate::broker::activation::workers::Workers;
use crate::broker::calls::in_flight::InFlight;
use crate::broker::context::shared::Context;
use crate::broker::directory::routes::Routes;
use crate::broker::js::delivery::Handle;
use crate::broker::js::event::{DestroyCause, Event};
use crate::broker::js::report::Creation;
use crate::broker::membership::members::Members;
use crate::broker::output::answer::Answer;
use crate::broker::output::gate::Output;
use crate::clock::boot_millis;
use crate::coordination::{Cause, Fate, Release, Sleep};
use crate::error::{Code, Failure};
use crate::ids::{ClassName, WorkerId};
use crate::level::Level;
use crate::lock::lock;
use bytes::Bytes;
use std::sync::Arc;

/// The workers that come to live here and go, as JavaScript reports on them.
pub struct Lifecycle {
    pub(super) context: Arc<Context>,
    pub(super) members: Arc<Members>,
    pub(super) calls: Arc<InFlight>,
    pub(super) output: Arc<Output>,
    pub(super) routes: Arc<Routes>,
    pub(super) workers: Arc<Workers>,
    pub(super) creators: Arc<Creators>,
    pub(super) trials: Arc<Trials>,
}

impl Lifecycle {
    pub(super) fn new(workers: &Arc<Workers>, creators: &Arc<Creators>, trials: &Arc<Trials>) -> Arc<Self> {
        Arc::new(Self {
            context: workers.context.clone(),
            members: workers.members.clone(),
            calls: workers.calls.clone(),
            output: workers.output.clone(),
            routes: workers.routes.clone(),
            workers: workers.clone(),
            creators: creators.clone(),
            trials: trials.clone(),
        })
    }

    /// Its construction and `onCreate` ended. `message`: what one of them failed with, if anything. `max_queue`: it takes one message at a time, and so many wait at most.
    /// `body`: that error as JSON text, of a worker that is kept.
    pub fn created(
        self: &Arc<Self>,
        handle: Handle,
        creation: Creation,
        message: &str,
        max_queue: Option<usize>,
        body: &str,
    ) {
        if self.output.holds_back(|| Answer::Created {
            handle,
            creation,
            message: message.into(),
            max_queue,
            body: body.into(),
        }) {
            return;
        }
        if creation != Creation::Done {
            return self.creation_failed(handle, creation, message, body);
        }
        let (creators, activated, deaths) = {
            let mut residents = lock(&self.workers.residents);
            let Some(resident) = residents.get_mut(handle) else { return };
            resident.state = State::Active;
            resident.making.activated.failed = (!message.is_empty()).then(|| message.into());
            resident.turns = max_queue.map(Turns::new);
            if max_queue.is_none() {
                while let Some(delivery) = resident.mailbox.pop() {
                    self.context.inbox.push(Event::Message(delivery));
                }
            }
            // A worker that is never recovered never needs to know whether it was made before.
            resident.making.confirming = resident.is_lasting();
            let deaths = resident.entry.history.deaths;
            if resident.making.confirming {
                self.workers.registrar.confirm(handle, resident.id.clone(), resident.epoch);
                (Vec::new(), Activated::default(), deaths)
            } else {
                (std::mem::take(&mut resident.making.creators), resident.making.activated.clone(), deaths)
            }
        };
        self.trials.created_on_trial(handle, deaths);
        self.workers.next_turn(handle, 0, false);
        self.creators.tell_creators(creators, &Ok(activated));
        if self.context.is_leaving() {
            self.context.inbox.push(Event::Destroy { handle, cause: DestroyCause::System });
        }
    }

    /// Whether the worker is to be made at all: not one that was never made before and whose creators have all given up.
    pub fn is_to_be_made(self: &Arc<Self>, handle: Handle) -> bool {
        let now = boot_millis();
        let release = {
            let mut residents = lock(&self.workers.residents);
            let Some(resident) = residents.get_mut(handle) else { return true };
            let Resident { entry, making: Making { creators, .. }, mailbox, .. } = &*resident;
            let first = entry.cause == Cause::New && entry.attempt <= 1;
            let wanted = creators.is_empty() || creators.iter().any(|creator| creator.is_waiting(now));
            if !first || wanted || !mailbox.is_empty() {
                return true;
            }
            resident.state = State::Leaving;
            Release { id: resident.id.clone(), epoch: resident.epoch, fate: Fate::Fail }
        };
        self.context
            .log(Level::Info, format!("The worker \"{}\" is not made: its creators have given up.", release.id));
        self.workers.registrar.release(Some(handle), release);
        false
    }

    /// The registry knows that its activation ended well, or could not be told: its creators are answered.
    pub fn confirmed(&self, handle: Handle) {
        let (creators, activated) = {
            let mut residents = lock(&self.workers.residents);
            let Some(resident) = residents.get_mut(handle) else { return };
            resident.making.confirming = false;
            (std::mem::take(&mut resident.making.creators), resident.making.activated.clone())
        };
        self.creators.tell_creators(creators, &Ok(activated));
    }

    fn creation_failed(&self, handle: Handle, creation: Creation, message: &str, body: &str) {
        if creation == Creation::ClassMissing && self.sleeps_again(handle) {
            return;
        }
        let (release, recovered) = {
            let mut residents = lock(&self.workers.residents);
            let Some(resident) = residents.get_mut(handle) else { return };
            resident.state = State::Leaving;
            // A class that is missing here may be at home elsewhere; a constructor that throws does so everywhere.
            let fate = match (creation, resident.recovered) {
                _ if resident.entry.lasting.kept => Fate::Fail,
                (Creation::ClassMissing, true) => Fate::Return,
                _ => Fate::Delete,
            };
            let release = Release { id: resident.id.clone(), epoch: resident.epoch, fate };
            resident.making.failure = Some(Box::new(match creation {
                Creation::Rejected => activation_failure(&resident.id, body),
                Creation::Unreadable => unreadable_data(&resident.id, body),
                Creation::Threw => Failure::new(Code::Rejected, message),
                Creation::ClassMissing | Creation::Done => Failure::new(Code::ClassUnknown, message),
            }));
            (release, resident.recovered)
        };
        if recovered && release.fate == Fate::Delete {
            self.context.inbox.push(Event::WorkerLost { id: release.id.to_string(), reason: message.into() });
        }
        let next = match release.fate {
            Fate::Return => "It is tried again",
            Fate::Fail => "The calls that wait for it fail",
            _ => "It is removed",
        };
        self.context.log(Level::Error, format!("Worker \"{}\" could not be activated: {message}. {next}.", release.id));
        self.workers.registrar.release(Some(handle), release);
    }

    /// A worker that was woken where its class is missing is asleep again: another broker may have the class. `false`: it was not asleep, or
    /// the registry keeps it anyhow.
    fn sleeps_again(&self, handle: Handle) -> bool {
        let mut residents = lock(&self.workers.residents);
        let Some(resident) = residents.get_mut(handle) else { return false };
        if resident.entry.cause != Cause::Wake || resident.entry.lasting.kept {
            return false;
        }
        resident.state = State::Leaving;
        let sleep = Sleep { id: resident.id.clone(), epoch: resident.epoch };
        self.workers.registrar.sleep(handle, sleep, 0);
        true
    }

    /// It ends for good: the registry learns that it is not to be recovered, before its `onDestroy` begins. So it is not
    /// recovered either where its process ends right after that. Answers under `slot`; `false`: there is nothing to wait for.
    pub fn finish(&self, handle: Handle, slot: u64) -> bool {
        let held = {
            let mut residents = lock(&self.workers.residents);
            let Some(resident) = residents.get_mut(handle).filter(|resident| resident.is_lasting()) else {
                return false;
            };
            resident.finish()
        };
        self.workers.registrar.finish(held, slot);
        true
    }

    /// No handler of it starts any more. What arrives from now on waits, and goes back when it is gone, but for asks that cannot
    /// wait for that. `recover`: it is to be made again elsewhere, where it is recoverable. `sleeps`: the next message wakes it.
    pub fn destroying(&self, handle: Handle, recover: bool, sleeps: bool) {
        let mut refused = Vec::new();
        {
            let mut residents = lock(&self.workers.residents);
            let Some(resident) = residents.get_mut(handle) else { return };
            if resident.state == State::Activating {
                let text = format!("The worker \"{}\" was destroyed before its onCreate ended.", resident.id);
                resident.making.failure = Some(Box::new(Failure::new(Code::WorkerNotFound, text)));
            }
            resident.state = State::Leaving;
            resident.ends = !(sleeps || recover && resident.entry.recoverable || resident.entry.lasting.kept);
            for delivery in resident.mailbox.take_all() {
                match resident.refusal(&delivery) {
                    None => resident.mailbox.put_back(delivery),
                    Some(refusal) => refused.push((delivery, refusal)),
                }
            }
        }
        refused.iter().for_each(|(delivery, refusal)| self.workers.refuse_ask(delivery, ending(delivery, *refusal)));
    }

    /// The class of this resident is offered no longer; which one that is.
    pub fn unhost(&self, handle: Handle) -> Option<ClassName> {
        let class = lock(&self.workers.residents).get_mut(handle)?.class.clone();
        self.members.unhost(&class);
        Some(class)
    }
}

/// Whether what a worker could not be made for fails the messages that wait for it: else they look for it again.
pub(super) fn fails_messages(code: Code) -> bool {
    matches!(code, Code::Activation | Code::DataFormat)
}

/// What the calls that made a worker fail with. `cause`: its error as JSON text.
fn activation_failure(id: &WorkerId, cause: &str) -> Failure {
    let text = format!("The worker \"{id}\" could not be activated: its constructor or its onCreate failed.");
    caused(Code::Activation, text, cause)
}

/// What they fail with where it cannot read its data.
fn unreadable_data(id: &WorkerId, cause: &str) -> Failure {
    let text = format!("The stored data of the worker \"{id}\" cannot be read. Nothing was overwritten.");
    caused(Code::DataFormat, text, cause)
}

fn caused(code: Code, text: String, cause: &str) -> Failure {
    let message = serde_json::Value::from(text.as_str());
    let body = format!("{{\"name\":\"Error\",\"message\":{message},\"cause\":{cause}}}");
    Failure::new(code, text).with_body(Bytes::from(body))
}
