//! `createWorker`: places a worker, sees to it that its owner takes it up, and tries another broker where one cannot.
//!
//! A reservation on a broker that does not take it up is withdrawn, which fails once the owner has taken it up: whatever
//! became of the request on its way, a withdrawn worker is not made there. So the next try goes to another broker at once.

use crate::backoff::Backoff;
use crate::broker::activation::catalog::Activated;
use crate::broker::activation::reservation::{Creations, Reservation};
use crate::broker::activation::take_up::Raised;
use crate::broker::directory::pending::is_of_another_class;
use crate::broker::js::event::Event;
use crate::broker::membership::quarantine::{quarantined, waits};
use crate::clock::boot_millis;
use crate::coordination::{EntryState, Location, Owner, PlaceRequest, Placement};
use crate::error::{Code, Delivered, Failure, Outcome};
use crate::ids::{ClassName, Epoch, Incarnation, WorkerId};
use crate::wire::call_chain::Chain;
use serde_json::{json, Value};
use std::sync::Arc;
use std::time::Duration;

/// One call of `createWorker`.
struct Creation {
    request: PlaceRequest,
    /// The workers that wait for it.
    chain: Chain,
    /// How long `onCreate` may take, ms.
    timeout: u64,
    /// On the local clock: when the call ends while its worker is ending or moving.
    deadline: u64,
    /// On the local clock: when the call ends where no broker is found.
    give_up: u64,
    /// Brokers that failed in this call.
    failed: Vec<Incarnation>,
    /// The other brokers that are avoided count again: without them nobody is left.
    use_avoided: bool,
    /// No broker is left that did not fail: the next one has all the time that there is.
    patient: bool,
    published: bool,
    /// The reservation that this call made and that may still stand.
    reservation: Option<Reservation>,
    /// Why the last broker failed.
    problem: Option<Failure>,
}

/// A worker that exists.
pub struct Created {
    pub id: WorkerId,
    pub owner: Owner,
    pub epoch: Epoch,
    /// What its `onCreate` failed with, where another broker made it.
    failed: Option<Arc<str>>,
}

/// What to do after a try.
enum Next {
    Created(Created),
    /// It is asleep, and nothing wakes it.
    Asleep(WorkerId),
    Failed(Failure),
    /// Try again now.
    Again,
    /// Try again after a while, as long as there is time for this kind of problem.
    Later(Failure),
    /// The id is busy: the same, until the deadline.
    Busy(Failure),
}

impl Creations {
    /// Answers under `slot` with `{"id"}` when the worker's `onCreate` has ended; where that failed, with `{"id", "broker", "failed"}`: the
    /// broker that made the worker, and what `onCreate` failed with. `chain`: the workers that wait for it.
    pub fn create(self: &Arc<Self>, slot: u64, request: PlaceRequest, timeout: u64, chain: Chain) {
        let creations = self.clone();
        self.context.operate("create", slot, async move {
            match creations.find_or_create_worker(request, timeout, chain).await {
                Ok(Ok(created)) => Event::done_json(slot, creations.creation_answer(&created)),
                Ok(Err(asleep)) => Event::done_json(slot, json!({ "id": asleep.as_str() }).to_string()),
                Err(failure) => Event::failed(slot, failure),
            }
        });
    }

    /// An active worker.
    pub async fn create_worker(
        self: &Arc<Self>,
        request: PlaceRequest,
        timeout: u64,
        chain: Chain,
    ) -> Outcome<Created> {
        let created = self.find_or_create_worker(request, timeout, chain).await?;
        created.map_err(|id| Failure::new(Code::WorkerNotFound, format!("The worker \"{id}\" is asleep.")))
    }

    /// `Err` inside: it is asleep, and the request wakes none.
    async fn find_or_create_worker(
        self: &Arc<Self>,
        request: PlaceRequest,
        timeout: u64,
        chain: Chain,
    ) -> Outcome<Result<Created, WorkerId>> {
        let now = boot_millis();
        let mut creation = Creation {
            request,
            chain,
            timeout,
            deadline: now.saturating_add(timeout),
            give_up: now + self.context.config.retries.duration,
            failed: Vec::new(),
            use_avoided: false,
            patient: false,
            published: false,
            reservation: None,
            problem: None,
        };
        let mut backoff = self.context.backoff();
        let failure = loop {
            let begun = boot_millis();
            let (problem, until) = match self.try_to_create(&mut creation).await {
                Next::Created(created) => return Ok(Ok(created)),
                Next::Asleep(id) => return Ok(Err(id)),
                Next::Failed(failure) => break failure,
                Next::Again if boot_millis() < creation.deadline => continue,
                Next::Again => (creation.problem.take().unwrap_or_else(|| too_busy(&creation)), 0),
                Next::Later(problem) => (problem, creation.give_up),
                Next::Busy(problem) => (problem, creation.deadline),
            };
            if boot_millis() >= until {
                break problem;
            }
            self.pause_before_retry(&mut backoff, begun).await;
        };
        Err(self.settle_reservation(&creation, failure).await)
    }

    /// A try that took its time has waited for its turn already.
    async fn pause_before_retry(&self, backoff: &mut Backoff, begun: u64) {
        const WAITED: u64 = 10;
        if boot_millis() < begun + WAITED {
            self.members.changes.wait_to_settle(backoff.next_wait()).await;
        } else {
            *backoff = self.context.backoff();
            self.members.changes.wait_to_settle(Duration::from_millis(1)).await;
        }
    }

    async fn try_to_create(self: &Arc<Self>, creation: &mut Creation) -> Next {
        creation.request.exclude.clone_from(&creation.failed);
        if !creation.use_avoided {
            let avoided = self.reports.avoided();
            let more = avoided.into_iter().filter(|broker| !creation.failed.contains(broker)).collect::<Vec<_>>();
            creation.request.exclude.extend(more);
        }
        let placement = match self.context.coordinator.place(&creation.request).await {
            Ok(placement) => placement,
            // Reserved or not: a retry with the same id finds it.
            Err(error) => {
                return Next::Failed(Failure::new(Code::Redis, error.to_string()).with_delivered(Delivered::Unknown))
            }
        };
        match placement {
            Placement::NoBroker { cluster } => self.nobody_left(creation, &cluster.to_string()).await,
            Placement::OtherClassWaits { id, class, cluster } => {
                Next::Failed(self.reports.waits_as_another_class(&id, &creation.request.class, &class, &cluster))
            }
            Placement::NotMember => {
                // After a wipe the others may have restored the tables before this broker has announced itself.
                self.members.changes.announce();
                Next::Later(Failure::new(Code::Suspended, "This broker has no valid lease at the moment."))
            }
            Placement::Later { class, .. } | Placement::Quarantined { class, .. }
                if class != creation.request.class =>
            {
                Next::Failed(is_of_another_class(&given_id(&creation.request), &creation.request.class, &class))
            }
            Placement::Later { deaths, .. } => Next::Later(waits(&given_id(&creation.request), deaths)),
            Placement::Quarantined { deaths, .. } => Next::Failed(quarantined(&given_id(&creation.request), deaths)),
            Placement::Unsettled => Next::Later(self.members.unsettled()),
            Placement::Asleep { id, class } if class != creation.request.class => {
                Next::Failed(is_of_another_class(&id, &creation.request.class, &class))
            }
            Placement::Asleep { id, .. } => Next::Asleep(id),
            Placement::Gone => {
                let id = given_id(&creation.request);
                Next::Failed(Failure::new(Code::WorkerNotFound, format!("There is no worker \"{id}\".")))
            }
            Placement::Reserved { id, owner, epoch, .. } => {
                self.members.saw(&id, epoch);
                creation.request.id = Some(id.clone());
                let reservation = Reservation { id, owner, epoch };
                creation.reservation = Some(reservation.clone());
                self.hand_to_owner(creation, &reservation, true).await
            }
            Placement::Existing { id, class, .. } if class != creation.request.class => {
                Next::Failed(is_of_another_class(&id, &creation.request.class, &class))
            }
            Placement::Existing { id, owner, epoch, state, .. } => {
                let reserved = state == EntryState::Placing;
                self.hand_to_owner(creation, &Reservation { id, owner, epoch }, reserved).await
            }
        }
    }

    /// No broker that can take the class is left, of those that were not excluded.
    async fn nobody_left(self: &Arc<Self>, creation: &mut Creation, cluster: &str) -> Next {
        // The class may have been registered here a moment ago, and the others not know it yet.
        if !creation.published && self.members.hosts(&creation.request.class) {
            creation.published = true;
            return match self.context.coordinator.update(&self.members.record()).await {
                Ok(_) => Next::Again,
                Err(error) => Next::Failed(Failure::new(Code::Redis, error.to_string())),
            };
        }
        if creation.request.exclude.len() > creation.failed.len() {
            creation.use_avoided = true;
            return Next::Again;
        }
        creation.failed.clear();
        match creation.problem.take() {
            Some(problem) => {
                creation.patient = true;
                Next::Later(problem)
            }
            None => {
                let class = &creation.request.class;
                let mut text =
                    format!("No broker of the cluster \"{cluster}\" is up that hosts the class \"{class}\".");
                if self.context.is_cordoned() && self.members.hosts(class) {
                    text.push_str(" This broker hosts it, and is cordoned.");
                }
                Next::Failed(Failure::new(Code::NoBroker, text))
            }
        }
    }

    /// `reserved`: its owner has not taken it up yet, so that it may be withdrawn.
    async fn hand_to_owner(self: &Arc<Self>, creation: &mut Creation, to: &Reservation, reserved: bool) -> Next {
        let now = boot_millis();
        let until = if reserved { now.saturating_add(creation.timeout) } else { creation.deadline.max(now + 1) };
        let raised = self.have_taken_up(to, &creation.chain, until, reserved && !creation.patient).await;
        let failure = match raised {
            Raised::Yes(Activated { failed }) => {
                self.reports.worked(&to.owner.incarnation);
                let Reservation { id, owner, epoch } = to.clone();
                return Next::Created(Created { id, owner, epoch, failed });
            }
            Raised::Failed(failure) => return Next::Failed(failure),
            Raised::Elsewhere(_) => return Next::Busy(too_busy(creation)),
            Raised::Undelivered(failure) if !reserved => return Next::Later(failure),
            Raised::Undelivered(failure) => match self.withdraw_reservation(to).await {
                Ok(true) => failure,
                // It was taken up after all, or is gone.
                Ok(false) => return Next::Busy(too_busy(creation)),
                Err(failure) => return Next::Later(failure),
            },
            Raised::Withdrawn(failure) => failure,
        };
        creation.reservation = None;
        creation.failed.push(to.owner.incarnation.clone());
        creation.problem = Some(failure);
        Next::Again
    }

    /// Who made the worker matters only where its `onCreate` failed: all other answers are as short as they can be.
    fn creation_answer(&self, created: &Created) -> String {
        let id = Value::from(created.id.as_str());
        let Some(failed) = created.failed.as_deref() else { return format!("{{\"id\":{id}}}") };
        let connection = self.members.open_connection(&created.owner);
        let broker = connection.map(|connection| connection.peer().broker.to_string());
        json!({ "id": id, "broker": broker, "failed": failed }).to_string()
    }

    /// What says that nothing was delivered leaves no reservation behind; where that cannot be told, it says so.
    async fn settle_reservation(&self, creation: &Creation, failure: Failure) -> Failure {
        let Some(reservation) = creation.reservation.as_ref().filter(|_| failure.delivered == Delivered::No) else {
            return failure;
        };
        let gone = match self.withdraw_reservation(reservation).await {
            Ok(true) => true,
            Ok(false) => match self.context.coordinator.locate(&reservation.id).await {
                Ok(Location::None | Location::Asleep { .. }) => true,
                Ok(Location::Owned { epoch, .. }) => epoch != reservation.epoch,
                _ => false,
            },
            Err(_) => false,
        };
        if gone {
            failure
        } else {
            failure.with_delivered(Delivered::Unknown)
        }
    }

    /// Answers under `slot` with `{"class"}`, or `null` when there is no such worker.
    pub fn find(self: &Arc<Self>, slot: u64, id: WorkerId) {
        let creations = self.clone();
        self.context.operate("find", slot, async move {
            match creations.find_worker(&id).await {
                Ok(Some(class)) => Event::done_json(slot, json!({ "class": class.as_str() }).to_string()),
                Ok(None) => Event::done_json(slot, "null".into()),
                Err(failure) => Event::failed(slot, failure),
            }
        });
    }

    async fn find_worker(self: &Arc<Self>, id: &WorkerId) -> Outcome<Option<ClassName>> {
        let give_up = boot_millis() + self.context.config.retries.duration;
        let mut backoff = self.context.backoff();
        loop {
            let problem = match self.context.coordinator.locate(id).await {
                Ok(Location::None) => return Ok(None),
                Ok(Location::Owned { class, .. } | Location::Asleep { class, .. }) => return Ok(Some(class)),
                Ok(Location::Unsettled) => self.members.unsettled(),
                Ok(Location::Pending { class, cluster }) => {
                    self.members.claim(class.clone());
                    self.reports.still_pending(id, &class, &cluster)
                }
                Ok(Location::Suspected { class, deaths }) => {
                    self.members.claim(class);
                    waits(id, deaths)
                }
                Ok(Location::Quarantined { deaths, .. }) => return Err(quarantined(id, deaths)),
                Err(error) => return Err(Failure::new(Code::Redis, error.to_string())),
            };
            // A broker that leaves waits for no recovery: its own departure may have to wait for that.
            if boot_millis() >= give_up || self.context.is_leaving() {
                return Err(problem);
            }
            self.members.changes.wait_to_settle(backoff.next_wait()).await;
        }
    }
}

/// The id that the registry knew: without one nothing is found.
fn given_id(request: &PlaceRequest) -> WorkerId {
    request.id.clone().unwrap_or_else(|| WorkerId::new(request.class.as_str()))
}

/// The id is taken by a worker that is ending or moving, all the time that the call had.
fn too_busy(creation: &Creation) -> Failure {
    let id = creation.request.id.as_ref().map_or("", WorkerId::as_str);
    let text =
        format!("The worker \"{id}\" was ending or moving; it could not be created within {} ms.", creation.timeout);
    Failure::new(Code::Timeout, text).with_delivered(Delivered::No)
}
