//! From a worker's id to a route: asks the registry where it is, connects, and lets go what waits.

use crate::backoff::Backoff;
use crate::broker::calls::{Place, Settled, Waiter};
use crate::broker::event::{Event, Level};
use crate::broker::inbox::lock;
use crate::broker::lanes::{Lanes, Parked, Route};
use crate::broker::life::Life;
use crate::broker::receiving::suspended;
use crate::broker::residents::{Admission, Creator};
use crate::broker::sending::{send_failure, time_left};
use crate::broker::turns::cycle;
use crate::clock::boot_millis;
use crate::coordination::{Location, Owner};
use crate::error::{Code, Failure, Outcome};
use crate::ids::{Epoch, WorkerId};
use crate::transport::{ConnectError, Connection};
use crate::wire::message::{Envelope, Message};
use bytes::Bytes;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

enum Found {
    Route(Route),
    /// It will not come: who waits is told now.
    Gone(Failure),
    /// Not yet: who gives up meanwhile is told this.
    Wait(Failure),
    /// The same, while it is being recovered: that takes a moment.
    Soon(Failure),
}

/// While workers are recovered, each that is waited for is looked up so often that all together ask the registry five
/// thousand times a second: more leaves too little for who recovers them.
const LOOK_UP: Duration = Duration::from_micros(200);

/// One more while it lives.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Life {
    pub fn backoff(&self) -> Backoff {
        let retries = &self.config.retries;
        Backoff::new(Duration::from_millis(retries.initial_interval), Duration::from_millis(retries.max_interval))
    }

    /// Starts a search for a route, unless one is under way or nothing waits.
    pub fn look_for_route(self: &Arc<Self>, worker: &WorkerId) {
        self.look_for_route_in(&mut lock(&self.lanes), worker);
    }

    /// The same, for who holds the lanes already.
    pub fn look_for_route_in(self: &Arc<Self>, lanes: &mut Lanes, worker: &WorkerId) {
        let Some(lane) = lanes.get_mut(worker.as_str()) else { return };
        if lane.resolving || lane.queue.is_empty() || matches!(lane.route, Route::Fence { .. }) {
            return;
        }
        lane.resolving = true;
        self.spawn("resolve", self.clone().resolve(worker.clone()));
    }

    /// Looks for a route until one is found, the worker is known to be gone, or nobody waits any more.
    pub async fn resolve(self: Arc<Self>, worker: WorkerId) {
        let mut backoff = self.backoff();
        let _counted = Counted::new(&self.resolving);
        loop {
            // Before the look: nothing that happens after it is missed.
            let mut moved = pin!(self.moved.notified());
            moved.as_mut().enable();
            let found = self.find_route(&worker).await;
            let soon = matches!(found, Found::Soon(_));
            match found {
                Found::Route(route) => {
                    if self.attach(&worker, route) {
                        return;
                    }
                }
                Found::Gone(failure) => {
                    let waiting = {
                        let mut lanes = lock(&self.lanes);
                        let waiting = lanes.take(worker.as_str());
                        if let Some(lane) = lanes.get_mut(worker.as_str()) {
                            lane.resolving = false;
                        }
                        waiting
                    };
                    waiting.into_iter().for_each(|parked| self.fail_parked(&worker, parked, &failure));
                    return;
                }
                Found::Wait(failure) | Found::Soon(failure) => {
                    let now = boot_millis();
                    let failure = Arc::new(failure);
                    let (expired, empty) = {
                        let mut lanes = lock(&self.lanes);
                        let expired = lanes.take_if(worker.as_str(), |parked| parked.deadline <= now);
                        let lane = lanes.lane(worker.as_str(), now);
                        lane.resolving = !lane.queue.is_empty();
                        let mut calls = lock(&self.calls);
                        lane.queue.iter().for_each(|parked| calls.blame(parked.call, &failure));
                        (expired, lane.queue.is_empty())
                    };
                    expired.into_iter().for_each(|parked| self.fail_parked(&worker, parked, &failure));
                    if empty {
                        return;
                    }
                }
            }
            let _ = tokio::time::timeout(self.next_try(&worker, &mut backoff, soon), moved).await;
        }
    }

    /// Not beyond the next deadline of what waits.
    fn next_try(&self, worker: &WorkerId, backoff: &mut Backoff, soon: bool) -> Duration {
        let mut lanes = lock(&self.lanes);
        let next =
            lanes.get_mut(worker.as_str()).and_then(|lane| lane.queue.iter().map(|parked| parked.deadline).min());
        let wait = if soon {
            let crowd = LOOK_UP * self.resolving.load(Ordering::Relaxed) as u32;
            let wait = crowd.max(Duration::from_millis(self.config.retries.initial_interval));
            Backoff::new(wait, wait).next_wait()
        } else {
            backoff.next_wait()
        };
        next.map_or(wait, |next| wait.min(Duration::from_millis(next.saturating_sub(boot_millis()))))
    }

    fn fail_parked(&self, worker: &WorkerId, parked: Parked, failure: &Failure) {
        if parked.call > 0 {
            self.fail_call(parked.call, failure.clone());
        } else if parked.tell_slot > 0 {
            self.inbox.push(Event::failed(parked.tell_slot, failure.clone()));
        } else {
            self.log(Level::Warn, format!("A tell to the worker \"{worker}\" was lost: {failure}"));
        }
    }

    async fn find_route(self: &Arc<Self>, worker: &WorkerId) -> Found {
        if self.lease.is_suspended() && lock(&self.residents).handle(worker.as_str()).is_some() {
            return Found::Wait(suspended(worker));
        }
        let location = match self.coordinator.locate(worker).await {
            Ok(location) => location,
            Err(error) => return Found::Wait(Failure::new(Code::Redis, error.to_string())),
        };
        match location {
            Location::None => {
                Found::Gone(Failure::new(Code::WorkerNotFound, format!("There is no worker \"{worker}\".")))
            }
            Location::Unsettled => Found::Wait(self.unsettled()),
            Location::Pending { .. } => {
                self.claim.notify_one();
                let text = format!("The worker \"{worker}\" is waiting to be recovered.");
                Found::Soon(Failure::new(Code::Unreachable, text))
            }
            Location::Owned { owner, epoch, .. } if owner.incarnation == self.incarnation => {
                self.find_here(worker, epoch).await
            }
            Location::Owned { owner, epoch, .. } => self.find_there(worker, &owner, epoch).await,
        }
    }

    async fn find_here(self: &Arc<Self>, worker: &WorkerId, epoch: Epoch) -> Found {
        if lock(&self.residents).handle(worker.as_str()).is_some() {
            return Found::Route(Route::Local { epoch });
        }
        let (sender, receiver) = oneshot::channel();
        self.registrar.take_up(worker.clone(), Some(Creator::Internal(sender)));
        match receiver.await {
            Ok(Ok(())) => Found::Route(Route::Local { epoch }),
            Ok(Err(failure)) => Found::Wait(failure),
            Err(_) => Found::Wait(Failure::new(Code::Unreachable, "The worker could not be taken up.")),
        }
    }

    async fn find_there(self: &Arc<Self>, worker: &WorkerId, owner: &Owner, epoch: Epoch) -> Found {
        let connection = match self.connect(owner).await {
            Ok(connection) => connection,
            // Time does not change that.
            Err(failure) if failure.code == Code::Unauthorized => return Found::Gone(failure),
            // Whether it answers again is looked after elsewhere; who asks need not wait for that.
            Err(failure) if self.watch.is_unreachable(&owner.incarnation) => return Found::Gone(failure),
            Err(failure) => return Found::Wait(failure),
        };
        let bounced = lock(&self.lanes).get_mut(worker.as_str()).and_then(|lane| lane.bounced);
        if bounced == Some(connection.id()) {
            // It stands under that broker, which does not hold it: e.g. an answer of the registry was lost there.
            let deadline = boot_millis() + self.config.rpc_timeout;
            match self.raise(&connection, worker, epoch, deadline).await {
                Settled::Reply(_) => {}
                Settled::Failure { failure, .. } => return Found::Wait(failure),
            }
            if let Some(lane) = lock(&self.lanes).get_mut(worker.as_str()) {
                lane.bounced = None;
            }
        }
        Found::Route(Route::Remote { connection, epoch })
    }

    /// Tells the owner to take up a worker that stands under it; answered when its `onCreate` ended.
    pub async fn raise(&self, to: &Arc<Connection>, worker: &WorkerId, epoch: Epoch, deadline: u64) -> Settled {
        let (sender, receiver) = oneshot::channel();
        let call = self.internal_call();
        self.open_call(call, deadline, Waiter::Internal(sender));
        lock(&self.calls).route(call, Place::There { connection: to.id() });
        let time_left = time_left(deadline, boot_millis());
        let create = Message::Create { call, time_left, worker: worker.clone(), epoch };
        match to.send(&create) {
            Ok(()) => to.flush(),
            Err(error) => self.fail_call(call, send_failure(error).with_delivered(crate::error::Delivered::No)),
        }
        receiver.await.unwrap_or_else(|_| Settled::Failure {
            failure: Failure::new(Code::PeerLost, "The broker ended."),
            body: Bytes::new(),
        })
    }

    /// An open connection to an incarnation.
    pub async fn connect(self: &Arc<Self>, owner: &Owner) -> Outcome<Arc<Connection>> {
        if let Some(connection) = lock(&self.peers).get(&owner.incarnation) {
            if connection.is_open() {
                return Ok(connection.clone());
            }
        }
        let unreachable = |text: String| Failure::new(Code::Unreachable, text);
        let Some(address) = &owner.address else {
            return Err(unreachable("The worker's broker has left.".into()));
        };
        if self.watch.is_unreachable(&owner.incarnation) {
            return Err(unreachable(format!("The worker's broker at {address} does not answer.")));
        }
        match self.transport().connect(address, Some(&owner.incarnation), self.hub.as_ref()).await {
            Ok(connection) => {
                lock(&self.peers).insert(owner.incarnation.clone(), connection.clone());
                // Who is talked to is watched.
                self.watch_anew.notify_one();
                Ok(connection)
            }
            Err(ConnectError::Unauthorized(text)) => Err(Failure::new(Code::Unauthorized, text)),
            Err(error) => Err(unreachable(format!("The worker's broker at {address} cannot be reached: {error}"))),
        }
    }

    /// Writes what waits to the route, in order; `false` when the route broke on the way.
    fn attach(self: &Arc<Self>, worker: &WorkerId, route: Route) -> bool {
        let now = boot_millis();
        let mut failed = Vec::new();
        let mut handed = Vec::new();
        let mut lanes = lock(&self.lanes);
        let mut queue = lanes.take(worker.as_str());
        lanes.lane(worker.as_str(), now).attach();
        let mut broken = false;
        while let Some(parked) = queue.pop_front() {
            if parked.call > 0 && !lock(&self.calls).is_waiting(parked.call) {
                continue;
            }
            match self.pass_on(worker, &route, &parked, now) {
                Ok(()) => {
                    lanes.lane(worker.as_str(), now).wrote(parked.sequence);
                    handed.push(parked.tell_slot);
                }
                Err(Some(failure)) => failed.push((parked, failure)),
                Err(None) => {
                    queue.push_front(parked);
                    broken = true;
                    break;
                }
            }
        }
        for parked in queue {
            lanes.park(worker.as_str(), parked);
        }
        let lane = lanes.lane(worker.as_str(), now);
        lane.resolving = broken;
        if !broken {
            lane.route = route.clone();
        }
        drop(lanes);
        if let Route::Remote { connection, .. } = &route {
            connection.flush();
        } else {
            self.inbox.nudge();
        }
        for slot in handed.into_iter().filter(|slot| *slot > 0) {
            self.inbox.push(Event::done(slot));
        }
        failed.into_iter().for_each(|(parked, failure)| self.fail_parked(worker, parked, &failure));
        !broken
    }

    /// `Err(None)`: the route is broken; `Err(Some)`: this message cannot be sent.
    fn pass_on(&self, worker: &WorkerId, route: &Route, parked: &Parked, now: u64) -> Result<(), Option<Failure>> {
        let (connection, epoch) = match route {
            Route::Remote { connection, epoch } => (connection, *epoch),
            Route::Local { epoch } => {
                return match self.deliver_here(worker.as_str(), *epoch, parked) {
                    Admission::Ready(_) | Admission::Held => Ok(()),
                    Admission::Full(_) => Err(Some(Failure::new(Code::Overloaded, "The worker's mailbox is full."))),
                    Admission::Absent(_) => Err(None),
                    Admission::Cycle(delivery) => Err(Some(cycle(&delivery))),
                }
            }
            Route::None | Route::Fence { .. } => return Err(None),
        };
        let envelope = Envelope {
            worker: worker.clone(),
            epoch,
            sequence: parked.sequence,
            method: parked.method.clone(),
            chain: parked.chain.clone(),
            payload: parked.payload.clone(),
        };
        let message = if parked.call > 0 {
            lock(&self.calls).route(parked.call, Place::There { connection: connection.id() });
            Message::Ask { call: parked.call, time_left: time_left(parked.deadline, now), envelope }
        } else {
            Message::Tell { envelope }
        };
        connection.send(&message).map_err(|error| {
            lock(&self.calls).route(parked.call, Place::Nowhere);
            match error {
                crate::transport::SendError::Closed => None,
                error => Some(send_failure(error)),
            }
        })
    }
}
