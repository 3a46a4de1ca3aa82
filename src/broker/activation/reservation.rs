//! Reservations: workers that stand under their owners without having been taken up.

use crate::broker::activation::creators::Creators;
use crate::broker::activation::workers::Workers;
use crate::broker::context::shared::Context;
use crate::broker::directory::complaints::Reports;
use crate::broker::directory::routes::Routes;
use crate::broker::membership::members::Members;
use crate::coordination::Owner;
use crate::error::{Code, Delivered, Failure, Outcome};
use crate::ids::{Epoch, WorkerId};
use std::sync::Arc;

/// A reservation: a worker that stands under its owner without having been taken up.
#[derive(Clone)]
pub struct Reservation {
    pub id: WorkerId,
    pub owner: Owner,
    pub epoch: Epoch,
}

/// `createWorker` and `findWorker`.
pub struct Creations {
    pub(super) context: Arc<Context>,
    pub(super) members: Arc<Members>,
    pub(super) routes: Arc<Routes>,
    pub(super) reports: Arc<Reports>,
    pub(super) workers: Arc<Workers>,
    pub(super) creators: Arc<Creators>,
}

impl Creations {
    pub(super) fn new(workers: &Arc<Workers>, creators: &Arc<Creators>, reports: &Arc<Reports>) -> Arc<Self> {
        Arc::new(Self {
            context: workers.context.clone(),
            members: workers.members.clone(),
            routes: workers.routes.clone(),
            reports: reports.clone(),
            workers: workers.clone(),
            creators: creators.clone(),
        })
    }

    /// Withdraws a reservation. `false`: the owner has taken the worker up, or it is gone.
    pub async fn withdraw_reservation(&self, reservation: &Reservation) -> Outcome<bool> {
        let Reservation { id, owner, epoch } = reservation;
        let withdrawn = self.context.coordinator.withdraw(&owner.incarnation, id, *epoch).await;
        withdrawn.map_err(|error| Failure::new(Code::Redis, error.to_string()).with_delivered(Delivered::Unknown))
    }
}
