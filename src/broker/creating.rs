//! `createWorker` and `findWorker`: place or locate, then make sure that the owner has taken the worker up.

use crate::broker::calls::Settled;
use crate::broker::event::Event;
use crate::broker::inbox::lock;
use crate::broker::life::Life;
use crate::broker::pending::is_of_another_class;
use crate::broker::residents::Creator;
use crate::broker::trials::{quarantined, waits};
use crate::clock::boot_millis;
use crate::coordination::{Location, Owner, PlaceRequest, Placement};
use crate::error::{Code, Delivered, Failure, Outcome};
use crate::ids::{ClassName, Epoch, WorkerId};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// What came of asking the owner to take a worker up.
enum Raised {
    Yes,
    /// The request surely did not arrive.
    Undelivered(Failure),
    /// The owner does not have it (any more): look again.
    Elsewhere(Failure),
    /// It failed for good.
    Failed(Failure),
}

impl Life {
    /// Answers under `slot` with `{"id"}` when the worker's `onCreate` has ended.
    pub fn create(self: &Arc<Self>, slot: u64, request: PlaceRequest, timeout: u64) {
        let life = self.clone();
        self.operate("create", slot, async move {
            match life.create_worker(request, timeout).await {
                Ok(id) => Event::done_json(slot, serde_json::json!({ "id": id.as_str() }).to_string()),
                Err(failure) => Event::failed(slot, failure),
            }
        });
    }

    async fn create_worker(self: &Arc<Self>, mut request: PlaceRequest, timeout: u64) -> Outcome<WorkerId> {
        let give_up = boot_millis() + self.config.retries.duration;
        let mut backoff = self.backoff();
        let mut published = false;
        loop {
            let placement = self.coordinator.place(&request).await.map_err(|error| {
                // Reserved or not: a retry with the same id finds it.
                Failure::new(Code::Redis, error.to_string()).with_delivered(Delivered::Unknown)
            })?;
            let problem = match placement {
                // The class may have been registered here a moment ago, and the others not know it yet.
                Placement::NoBroker { .. } if !published && lock(&self.hosted).contains(&request.class) => {
                    published = true;
                    let told = self.coordinator.update(&self.record()).await;
                    told.map_err(|error| Failure::new(Code::Redis, error.to_string()))?;
                    continue;
                }
                Placement::NoBroker { cluster } => {
                    let text = format!(
                        "No broker of the cluster \"{cluster}\" is up that hosts the class \"{}\".",
                        request.class
                    );
                    return Err(Failure::new(Code::NoBroker, text));
                }
                Placement::OtherClassWaits { id, class, cluster } => {
                    return Err(self.waits_as_another_class(&id, &request.class, &class, &cluster));
                }
                Placement::NotMember => {
                    return Err(Failure::new(Code::Suspended, "This broker has no valid lease at the moment."));
                }
                Placement::Later { class, .. } | Placement::Quarantined { class, .. } if class != request.class => {
                    return Err(is_of_another_class(&given_id(&request), &request.class, &class));
                }
                Placement::Later { deaths, .. } => waits(&given_id(&request), deaths),
                Placement::Quarantined { deaths, .. } => return Err(quarantined(&given_id(&request), deaths)),
                Placement::Unsettled => self.unsettled(),
                Placement::Reserved { id, owner, epoch, .. } => {
                    lock(&self.remembered).saw(&id, epoch);
                    request.id = Some(id.clone());
                    match self.have_taken_up(&owner, &id, epoch, timeout).await {
                        Raised::Yes => return Ok(id),
                        Raised::Failed(failure) => return Err(failure),
                        Raised::Elsewhere(failure) => failure,
                        Raised::Undelivered(failure) => {
                            let _ = self.coordinator.withdraw(&owner.incarnation, &id, epoch).await;
                            failure
                        }
                    }
                }
                Placement::Existing { id, class, .. } if class != request.class => {
                    return Err(is_of_another_class(&id, &request.class, &class));
                }
                Placement::Existing { id, owner, epoch, .. } => {
                    match self.have_taken_up(&owner, &id, epoch, timeout).await {
                        Raised::Yes => return Ok(id),
                        Raised::Failed(failure) => return Err(failure),
                        Raised::Elsewhere(failure) | Raised::Undelivered(failure) => failure,
                    }
                }
            };
            if boot_millis() >= give_up {
                return Err(problem);
            }
            self.wait_to_settle(backoff.next_wait()).await;
        }
    }

    async fn have_taken_up(self: &Arc<Self>, owner: &Owner, id: &WorkerId, epoch: Epoch, timeout: u64) -> Raised {
        if owner.incarnation == self.incarnation {
            return self.take_up_here(id, timeout).await;
        }
        let connection = match self.connect(owner).await {
            Ok(connection) => connection,
            Err(failure) => return Raised::Undelivered(failure),
        };
        match self.raise(&connection, id, epoch, boot_millis().saturating_add(timeout)).await {
            Settled::Reply(_) => Raised::Yes,
            Settled::Failure { failure, .. } => match failure.code {
                Code::Unreachable | Code::Overloaded => Raised::Undelivered(failure),
                Code::WorkerNotFound | Code::ClassUnknown | Code::PeerLost => Raised::Elsewhere(failure),
                Code::Timeout => Raised::Failed(still_creating(id)),
                _ => Raised::Failed(failure),
            },
        }
    }

    async fn take_up_here(self: &Arc<Self>, id: &WorkerId, timeout: u64) -> Raised {
        if self.is_leaving() {
            return Raised::Failed(Failure::new(Code::State, "The broker is leaving."));
        }
        let (sender, receiver) = oneshot::channel();
        let creator = Creator::Internal(sender);
        let here = lock(&self.residents).handle(id.as_str()).is_some();
        if here {
            self.join_creators(id, creator);
        } else {
            self.registrar.take_up(id.clone(), Some(creator));
        }
        match tokio::time::timeout(Duration::from_millis(timeout), receiver).await {
            Ok(Ok(Ok(()))) => Raised::Yes,
            Ok(Ok(Err(failure))) => match failure.code {
                Code::WorkerNotFound | Code::ClassUnknown | Code::Redis => Raised::Elsewhere(failure),
                _ => Raised::Failed(failure),
            },
            Ok(Err(_)) => Raised::Failed(Failure::new(Code::PeerLost, "The broker ended.")),
            Err(_) => Raised::Failed(still_creating(id)),
        }
    }

    /// Answers under `slot` with `{"class"}`, or `null` when there is no such worker.
    pub fn find(self: &Arc<Self>, slot: u64, id: WorkerId) {
        let life = self.clone();
        self.operate("find", slot, async move {
            match life.find_worker(&id).await {
                Ok(Some(class)) => Event::done_json(slot, serde_json::json!({ "class": class.as_str() }).to_string()),
                Ok(None) => Event::done_json(slot, "null".into()),
                Err(failure) => Event::failed(slot, failure),
            }
        });
    }

    async fn find_worker(self: &Arc<Self>, id: &WorkerId) -> Outcome<Option<ClassName>> {
        let give_up = boot_millis() + self.config.retries.duration;
        let mut backoff = self.backoff();
        loop {
            let problem = match self.coordinator.locate(id).await {
                Ok(Location::None) => return Ok(None),
                Ok(Location::Owned { class, .. }) => return Ok(Some(class)),
                Ok(Location::Unsettled) => self.unsettled(),
                Ok(Location::Pending { class, cluster }) => {
                    self.claim(class.clone());
                    self.still_pending(id, &class, &cluster)
                }
                Ok(Location::Suspected { class, deaths }) => {
                    self.claim(class);
                    waits(id, deaths)
                }
                Ok(Location::Quarantined { deaths, .. }) => return Err(quarantined(id, deaths)),
                Err(error) => return Err(Failure::new(Code::Redis, error.to_string())),
            };
            // A broker that leaves waits for no recovery: its own departure may have to wait for that.
            if boot_millis() >= give_up || self.is_leaving() {
                return Err(problem);
            }
            self.wait_to_settle(backoff.next_wait()).await;
        }
    }

    /// Nobody can tell yet whether there is such a worker: whoever holds it may not have put it back.
    pub fn unsettled(&self) -> Failure {
        self.check_server();
        Failure::new(Code::Redis, "Redis lost what it knew, or is another: the brokers are putting it back.")
    }
}

/// The id that the registry knew: without one nothing is found.
fn given_id(request: &PlaceRequest) -> WorkerId {
    request.id.clone().unwrap_or_else(|| WorkerId::new(request.class.as_str()))
}

/// It is reserved, and goes on; who retries with this id finds it.
fn still_creating(id: &WorkerId) -> Failure {
    Failure::new(Code::Timeout, format!("The worker \"{id}\" is still being created."))
}
