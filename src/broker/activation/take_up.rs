//! Telling the owner of a worker to take it up, and how long that may take before another broker is tried.

use crate::broker::activation::catalog::{Activated, Creator};
use crate::broker::activation::reservation::{Creations, Reservation};
use crate::broker::calls::table::Settled;
use crate::clock::boot_millis;
use crate::coordination::Owner;
use crate::error::{Code, Failure, Outcome};
use crate::ids::WorkerId;
use crate::lock::lock;
use crate::transport::Connection;
use crate::wire::call_chain::Chain;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// How long a connection may take before another broker is tried beside it.
const CONNECT_PATIENCE: Duration = Duration::from_millis(150);
/// How long the owner may take to take a worker up, which its core does without JavaScript, before another broker is tried.
const TAKE_UP_PATIENCE: Duration = Duration::from_millis(300);

/// What came of asking the owner to take a worker up.
pub enum Raised {
    /// It is active.
    Yes(Activated),
    /// The request did not arrive, or nobody can tell: withdrawing the reservation decides.
    Undelivered(Failure),
    /// The owner did not take it up in time, and the reservation is withdrawn.
    Withdrawn(Failure),
    /// The owner does not have it (any more): look again.
    Elsewhere(Failure),
    /// It failed for good.
    Failed(Failure),
}

impl Creations {
    /// `chain`: the workers that wait for it. `until`: how long `onCreate` is waited for, on the local clock. `hasty`: another broker may be tried instead.
    pub async fn have_taken_up(
        self: &Arc<Self>,
        reservation: &Reservation,
        chain: &Chain,
        until: u64,
        hasty: bool,
    ) -> Raised {
        let Reservation { id, owner, .. } = reservation;
        if owner.incarnation == self.context.incarnation {
            return self.take_up_here(id, chain, until).await;
        }
        let connection = match self.connect_within(owner, hasty).await {
            Ok(connection) => connection,
            Err(failure) => return Raised::Undelivered(failure),
        };
        let mut raising = pin!(self.routes.raise(&connection, id, chain.clone(), until));
        if hasty {
            if let Ok(settled) = tokio::time::timeout(TAKE_UP_PATIENCE, &mut raising).await {
                return self.read_answer(owner, id, settled);
            }
            if let Ok(true) = self.withdraw_reservation(reservation).await {
                let millis = TAKE_UP_PATIENCE.as_millis();
                let broker = &connection.peer().broker;
                let text = format!("The broker \"{broker}\" did not take the worker up within {millis} ms.");
                let failure = Failure::new(Code::Timeout, text).with_delivered(crate::error::Delivered::No);
                self.reports.complain(owner, &failure);
                return Raised::Withdrawn(failure);
            }
        }
        self.read_answer(owner, id, raising.await)
    }

    fn read_answer(self: &Arc<Self>, owner: &Owner, id: &WorkerId, settled: Settled) -> Raised {
        let failure = match settled {
            Settled::Reply(payload) => return Raised::Yes(Activated::read(&payload)),
            Settled::Failure { failure, body } => failure.with_body(body),
        };
        match failure.code {
            Code::Unreachable | Code::Overloaded | Code::PeerLost => {
                self.reports.complain(owner, &failure);
                Raised::Undelivered(failure)
            }
            // The broker is leaving.
            Code::State => Raised::Undelivered(failure),
            Code::WorkerNotFound | Code::ClassUnknown | Code::Redis => Raised::Elsewhere(failure),
            Code::Timeout => Raised::Failed(still_creating(id)),
            _ => Raised::Failed(failure),
        }
    }

    /// Where another broker may be tried, the attempt goes on beside it when it takes long.
    async fn connect_within(self: &Arc<Self>, owner: &Owner, hasty: bool) -> Outcome<Arc<Connection>> {
        let (sender, receiver) = oneshot::channel();
        if let Some(connection) = self.members.open_connection(owner) {
            return Ok(connection);
        }
        let (creations, owner) = (self.clone(), owner.clone());
        self.context.spawn("connect", async move {
            let connected = creations.members.connect(&owner).await;
            match &connected {
                Ok(_) => creations.reports.worked(&owner.incarnation),
                // A limit was reached, here or there: whose it is logs that by itself, and nobody is unreachable.
                Err(failure) if failure.code == Code::Overloaded => {
                    creations.reports.avoid(&owner, failure);
                }
                Err(failure) => creations.reports.complain(&owner, failure),
            }
            // Whoever waited may have tried another broker meanwhile.
            let _ = sender.send(connected);
        });
        let ended = || Err(Failure::new(Code::Unreachable, "The broker ended."));
        if !hasty {
            return receiver.await.unwrap_or_else(|_| ended());
        }
        match tokio::time::timeout(CONNECT_PATIENCE, receiver).await {
            Ok(connected) => connected.unwrap_or_else(|_| ended()),
            Err(_) => {
                let millis = CONNECT_PATIENCE.as_millis();
                let text = format!("The worker's broker could not be connected to within {millis} ms.");
                Err(Failure::new(Code::Unreachable, text))
            }
        }
    }

    /// What `onCreate` fails with shows in the log of this very broker.
    async fn take_up_here(self: &Arc<Self>, id: &WorkerId, chain: &Chain, until: u64) -> Raised {
        if self.context.is_leaving() {
            return Raised::Failed(Failure::new(Code::State, "The broker is leaving."));
        }
        let (creator, receiver) = Creator::internal(chain.clone());
        let here = lock(&self.workers.residents).handle(id.as_str()).is_some();
        if here {
            self.creators.join_creators(id, creator);
        } else {
            self.workers.registrar.take_up(id.clone(), Some(creator));
        }
        let left = Duration::from_millis(until.saturating_sub(boot_millis()));
        match tokio::time::timeout(left, receiver).await {
            Ok(Ok(Ok(_))) => Raised::Yes(Activated::default()),
            Ok(Ok(Err(failure))) => match failure.code {
                Code::WorkerNotFound | Code::ClassUnknown | Code::Redis => Raised::Elsewhere(failure),
                _ => Raised::Failed(failure),
            },
            Ok(Err(_)) => Raised::Failed(Failure::new(Code::PeerLost, "The broker ended.")),
            Err(_) => Raised::Failed(still_creating(id)),
        }
    }
}

/// It is reserved, and goes on; who retries with this id finds it.
fn still_creating(id: &WorkerId) -> Failure {
    let text = format!("The worker \"{id}\" is still being created, or an earlier instance of it is still ending.");
    Failure::new(Code::Timeout, text)
}
