//! A message to a worker that is not active: its worker is made, where the sender's agent says from what, or woken.
//!
//! Only messages of agents that `broker.get()` made make workers. Which of them do is decided when the registry says that there is no
//! worker; all of them then wait in their lane, in order, until the worker is active.

use crate::broker::context::recipes::Recipe;
use crate::broker::directory::lane::Route;
use crate::broker::directory::lookup::Found;
use crate::broker::directory::routes::Routes;
use crate::clock::boot_millis;
use crate::coordination::{Owner, PlaceRequest, Purpose};
use crate::error::{Code, Failure};
use crate::ids::{ClassName, ClusterName, Epoch, WorkerId};
use std::sync::Arc;
use std::time::Duration;

impl Routes {
    /// There is no such worker.
    pub async fn make_for_message(self: &Arc<Self>, worker: &WorkerId) -> Found {
        let gone = Failure::new(Code::WorkerNotFound, format!("There is no worker \"{worker}\"."));
        let Some(recipe) = self.fail_those_that_make_none(worker, &gone) else { return Found::Gone(gone) };
        let request = PlaceRequest {
            purpose: Purpose::Keep,
            recoverable: recipe.recoverable,
            attributes: recipe.attributes.clone(),
            ..self.request(worker, recipe.class.clone(), recipe.cluster.clone())
        };
        self.activate_for_message(worker, request).await
    }

    /// It is asleep.
    pub async fn wake_for_message(
        self: &Arc<Self>,
        worker: &WorkerId,
        class: ClassName,
        cluster: ClusterName,
    ) -> Found {
        let request = self.request(worker, class, cluster);
        self.activate_for_message(worker, request).await
    }

    fn request(&self, worker: &WorkerId, class: ClassName, cluster: ClusterName) -> PlaceRequest {
        PlaceRequest {
            by: self.context.incarnation.clone(),
            id: Some(worker.clone()),
            class,
            cluster,
            recoverable: false,
            purpose: Purpose::Wake,
            attributes: "{}".into(),
            exclude: Vec::new(),
            ttl: Duration::from_millis(self.context.config.ttl),
        }
    }

    /// Messages in front of the first one that makes a worker meet none. What the others make it from; `None`: there are none.
    fn fail_those_that_make_none(&self, worker: &WorkerId, gone: &Failure) -> Option<Arc<Recipe>> {
        let (recipe, refused) = {
            let mut lanes = self.lanes();
            let lane = lanes.get_mut(worker.as_str())?;
            let first = lane.queue.iter().find(|parked| parked.makes).map(|parked| parked.sequence)?;
            let recipe = lane.recipe.clone()?;
            (recipe, lanes.take_before(worker.as_str(), first))
        };
        refused.into_iter().for_each(|parked| self.fail_parked(worker, parked, gone));
        Some(recipe)
    }

    async fn activate_for_message(self: &Arc<Self>, worker: &WorkerId, request: PlaceRequest) -> Found {
        let Some(maker) = self.maker() else {
            return Found::Wait(Failure::new(Code::Unreachable, "The broker ended."));
        };
        self.give_tells_time(worker);
        let failure = match maker.activate(request, self.chain_of_parked(worker)).await {
            Ok((owner, epoch)) => match self.route_to(&owner, epoch) {
                Some(route) => return Found::Route(route),
                None => return Found::Again(Failure::new(Code::Unreachable, "The worker's broker has left.")),
            },
            Err(failure) => failure,
        };
        match failure.code {
            // It goes on, and its broker takes what is sent to it meanwhile; or it was deleted before it could be woken.
            Code::Timeout | Code::WorkerNotFound => Found::Again(failure),
            Code::Suspended | Code::Redis | Code::Unreachable | Code::State | Code::NoBroker | Code::PeerLost => {
                Found::Wait(failure)
            }
            _ => Found::Gone(failure),
        }
    }

    fn route_to(&self, owner: &Owner, epoch: Epoch) -> Option<Route> {
        if owner.incarnation == self.context.incarnation {
            return Some(Route::Local { epoch });
        }
        self.members.open_connection(owner).map(|connection| Route::Remote { connection, epoch })
    }

    /// Tells that wait for an activation have as long as that may take.
    fn give_tells_time(&self, worker: &WorkerId) {
        let until = boot_millis() + self.context.config.rpc_timeout;
        if let Some(lane) = self.lanes().get_mut(worker.as_str()) {
            let tells = lane.queue.iter_mut().filter(|parked| parked.call == 0);
            tells.for_each(|parked| parked.deadline = parked.deadline.max(until));
        }
    }
}
