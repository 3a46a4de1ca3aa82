//! Where a worker is: what the registry says, and a connection to its broker.

use crate::broker::calls::table::{time_left, Place, Settled, Waiter};
use crate::broker::context::recipes::Recipe;
use crate::broker::directory::lane::Route;
use crate::broker::directory::routes::{Local, Routes};
use crate::broker::lease::room::suspended;
use crate::broker::membership::quarantine::{quarantined, waits};
use crate::broker::output::failure::send_failure;
use crate::clock::boot_millis;
use crate::coordination::{Location, Owner, PlaceRequest, Purpose};
use crate::error::{Code, Failure};
use crate::ids::{ClassName, ClusterName, Epoch, WorkerId};
use crate::transport::Connection;
use crate::wire::call_chain::Chain;
use crate::wire::message::Message;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// What a search for a route found.
pub enum Found {
    /// A route.
    Route(Route),
    /// It will not come: who waits is told now.
    Gone(Failure),
    /// Not yet: who gives up meanwhile is told this.
    Wait(Failure),
    /// The same, while it is being recovered: that takes a moment.
    Soon(Failure),
    /// The same: something has just changed.
    Again(Failure),
}

impl Routes {
    fn doubted_route(&self, worker: &WorkerId) -> Option<Route> {
        match &self.lanes().get_mut(worker.as_str())?.route {
            Route::Doubted { connection, epoch } if connection.is_open() => {
                Some(Route::Remote { connection: connection.clone(), epoch: *epoch })
            }
            _ => None,
        }
    }

    pub async fn find_route(self: &Arc<Self>, worker: &WorkerId) -> Found {
        let Some(local) = self.local() else {
            return Found::Wait(Failure::new(Code::Unreachable, "The broker was closed."));
        };
        if self.lease.is_suspended() && local.is_here(worker) {
            return Found::Wait(suspended(worker));
        }
        let location = match self.context.coordinator.locate(worker).await {
            Ok(location) => location,
            // Who is known is talked to without the registry.
            Err(error) => {
                let failure = Failure::new(Code::Redis, error.to_string());
                return self.doubted_route(worker).map_or(Found::Wait(failure), Found::Route);
            }
        };
        match location {
            Location::None => self.make_for_message(worker).await,
            Location::Asleep { class, cluster } => self.wake_for_message(worker, class, cluster).await,
            Location::Unsettled => {
                self.doubted_route(worker).map_or(Found::Wait(self.members.unsettled()), Found::Route)
            }
            Location::Pending { class, cluster } => {
                self.members.claim(class.clone());
                let failure = self.reports.still_pending(worker, &class, &cluster);
                // Nothing is known of a broker that could take it: it is looked up less often.
                match failure.code {
                    Code::NoBroker => Found::Wait(failure),
                    _ => Found::Soon(failure),
                }
            }
            Location::Suspected { class, deaths } => {
                self.members.claim(class);
                Found::Soon(waits(worker, deaths))
            }
            Location::Quarantined { deaths, .. } => Found::Gone(quarantined(worker, deaths)),
            Location::Owned { owner, epoch, .. } if owner.incarnation == self.context.incarnation => {
                self.find_here(&*local, worker, epoch).await
            }
            Location::Owned { owner, epoch, .. } => self.find_there(worker, &owner, epoch).await,
        }
    }

    async fn find_here(&self, local: &dyn Local, worker: &WorkerId, epoch: Epoch) -> Found {
        if local.is_here(worker) {
            return Found::Route(Route::Local { epoch });
        }
        match local.take_up(worker, self.chain_of_parked(worker)).await {
            Some(Ok(())) => Found::Route(Route::Local { epoch }),
            Some(Err(failure)) => Found::Wait(failure),
            None => Found::Wait(Failure::new(Code::Unreachable, "The worker's broker did not take the worker up.")),
        }
    }

    async fn find_there(self: &Arc<Self>, worker: &WorkerId, owner: &Owner, epoch: Epoch) -> Found {
        let connection = match self.members.connect(owner).await {
            Ok(connection) => connection,
            // Whether it answers again is looked after elsewhere; who asks need not wait for that.
            Err(failure) if self.members.peers.is_silent(&owner.incarnation) => return Found::Gone(failure),
            Err(failure) => return Found::Wait(failure),
        };
        let bounced = self.lanes().get_mut(worker.as_str()).and_then(|lane| lane.bounced);
        if bounced == Some(connection.id()) {
            // It stands under that broker, which does not hold it: e.g. an answer of the registry was lost there.
            let begun = boot_millis();
            let deadline = begun + self.context.config.rpc_timeout;
            match self.raise(&connection, worker, self.chain_of_parked(worker), deadline).await {
                Settled::Reply(_) => {}
                // It was waited for until it had ended there.
                Settled::Failure { failure, .. } if failure.code == Code::WorkerNotFound && boot_millis() > begun => {
                    return Found::Again(failure)
                }
                Settled::Failure { failure, .. } => return Found::Wait(failure),
            }
            if let Some(lane) = self.lanes().get_mut(worker.as_str()) {
                lane.bounced = None;
            }
        }
        Found::Route(Route::Remote { connection, epoch })
    }

    /// The workers that wait for the asks which wait for a route to this one.
    pub(super) fn chain_of_parked(&self, worker: &WorkerId) -> Chain {
        let mut lanes = self.lanes();
        let parked = lanes.get_mut(worker.as_str()).into_iter().flat_map(|lane| &lane.queue);
        Chain::merged(parked.map(|parked| &parked.envelope.chain))
    }

    /// Tells the owner to take up a worker that stands under it; answered when its `onCreate` ended. `chain`: the workers
    /// that wait for that.
    pub async fn raise(&self, to: &Arc<Connection>, worker: &WorkerId, chain: Chain, deadline: u64) -> Settled {
        let (sender, receiver) = oneshot::channel();
        let call = self.context.next_call();
        self.calls.open(call, deadline, Waiter::Internal(sender));
        self.calls.route(call, Place::There { connection: to.id() });
        let time_left = time_left(deadline, boot_millis());
        let create = Message::Create { call, time_left, worker: worker.clone(), chain };
        match to.send(&create) {
            Ok(()) => to.flush(),
            Err(error) => self.calls.fail(call, send_failure(error).with_delivered(crate::error::Delivered::No)),
        }
        receiver.await.unwrap_or_else(|_| Settled::Failure {
            failure: Failure::new(Code::PeerLost, "The broker was closed."),
            body: Bytes::new(),
        })
    }

    /// There is no such worker.
    pub async fn make_for_message(self: &Arc<Self>, worker: &WorkerId) -> Found {
        let gone = Failure::new(Code::WorkerNotFound, format!("No worker has the id \"{worker}\"."));
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
            let first = lane.queue.iter().find(|parked| parked.makes).map(|parked| parked.envelope.sequence)?;
            let recipe = lane.recipe.clone()?;
            (recipe, lanes.take_before(worker.as_str(), first))
        };
        refused.into_iter().for_each(|parked| self.fail_parked(worker, parked, gone));
        Some(recipe)
    }

    async fn activate_for_message(self: &Arc<Self>, worker: &WorkerId, request: PlaceRequest) -> Found {
        let Some(maker) = self.maker() else {
            return Found::Wait(Failure::new(Code::Unreachable, "The broker was closed."));
        };
        self.give_tells_time(worker);
        let failure = match maker.activate(request, self.chain_of_parked(worker)).await {
            Ok((owner, epoch)) => match self.route_to(&owner, epoch) {
                Some(route) => return Found::Route(route),
                None => {
                    return Found::Again(Failure::new(Code::Unreachable, "The worker's broker has left the cluster."))
                }
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
            let tells = lane.queue.iter_mut().filter(|parked| !parked.is_ask);
            tells.for_each(|parked| parked.deadline = parked.deadline.max(until));
        }
    }
}
