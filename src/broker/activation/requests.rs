//! Messages that JavaScript is handling: whom the answer goes to, what hangs on them.

use crate::broker::js::delivery::{Handle, Origin};
use crate::wire::call_chain::Chain;
use rustc_hash::FxHashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use tokio::sync::Notify;

/// Asks that one connection may have in flight here at most; beyond it the caller gets OVERLOADED.
pub(crate) const MAX_PER_CONNECTION: usize = 4096;
/// Workers that one connection may be waiting for to be taken up here; beyond it the caller gets OVERLOADED.
pub(crate) const MAX_CREATING_PER_CONNECTION: usize = 16_384;
/// Calls of one handler that are remembered at least before those are looked for which have ended.
const SWEEP: usize = 64;

/// The place of a message among those that JavaScript handles. An ask of a peer counts against the limit of its connection
/// until its place is dropped.
pub struct AskPlace(Origin);

impl AskPlace {
    /// `None`: the peer has too many asks in flight here.
    pub fn take(origin: Origin) -> Option<Self> {
        let before = origin.asker().map(|connection| connection.in_flight().fetch_add(1, Ordering::AcqRel));
        // A place that is not to be had is given back as it is dropped.
        let place = Self(origin);
        before.is_none_or(|before| before < MAX_PER_CONNECTION).then_some(place)
    }

    /// A place beyond the limit.
    pub fn beyond_limit(origin: Origin) -> Self {
        if let Some(connection) = origin.asker() {
            connection.in_flight().fetch_add(1, Ordering::AcqRel);
        }
        Self(origin)
    }

    /// Where the message came from.
    pub fn origin(&self) -> &Origin {
        &self.0
    }
}

impl Drop for AskPlace {
    fn drop(&mut self) {
        if let Some(connection) = self.0.asker() {
            connection.in_flight().fetch_sub(1, Ordering::AcqRel);
        }
    }
}

struct Open {
    place: AskPlace,
    /// On the local clock: nobody waits for the answer after it.
    deadline: u64,
    /// The worker whose handler JavaScript was given it for; 0: of none yet.
    worker: Handle,
    /// The worker whose turn this is; 0: it handles others meanwhile, or this one has not begun.
    turn_of: Handle,
    /// It is `onCreate` or `onDestroy` of `worker`, and no message.
    step: bool,
    /// Whose turns wait for the answer.
    chain: Chain,
    /// Nobody waits any more.
    cancelled: bool,
    /// JavaScript wants to hear of it when nobody waits any more.
    watched: bool,
    /// Calls that the handler made.
    calls: Vec<u64>,
}

/// What ended.
pub(crate) struct Closed {
    /// Whom to answer; given back when it is dropped.
    pub place: AskPlace,
    /// Nobody waits for the answer.
    pub cancelled: bool,
    /// The worker whose turn it was; 0: of none.
    pub turn_of: Handle,
}

/// What the calls of a handler take over.
pub struct Scope {
    pub deadline: u64,
    pub chain: Chain,
    pub turn_of: Handle,
    /// The worker whose handler it is; 0: of none, or it is not known.
    pub worker: Handle,
    /// It is the worker's `onCreate` or `onDestroy`.
    pub step: bool,
    pub cancelled: bool,
}

/// What became of the interest in an ask.
pub(crate) struct Cancelled {
    pub watched: bool,
    /// Calls that its handler made.
    pub calls: Vec<u64>,
}

/// The messages that JavaScript is handling, by number. Numbers grow and are never used again while the process lives.
pub(crate) struct Inbound {
    open: FxHashMap<u64, Open>,
    by_call: FxHashMap<(u64, u64), u64>,
    /// How many of the open ones nobody waits for.
    cancelled: usize,
    /// Workers that go when the asks that they handle have ended: how many are left, who waits for it.
    awaited: FxHashMap<Handle, (usize, Arc<Notify>)>,
    last: Arc<AtomicU64>,
}

impl Inbound {
    /// `last` is shared by all lives of a broker: a late answer of an earlier one meets nobody.
    pub(crate) fn new(last: Arc<AtomicU64>) -> Self {
        Self {
            open: FxHashMap::default(),
            by_call: FxHashMap::default(),
            cancelled: 0,
            awaited: FxHashMap::default(),
            last,
        }
    }

    pub(crate) fn open(&mut self, place: AskPlace, deadline: u64, chain: Chain) -> u64 {
        let inbound = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        self.insert(inbound, place, deadline, chain, 0);
        inbound
    }

    fn insert(&mut self, inbound: u64, place: AskPlace, deadline: u64, chain: Chain, turn_of: Handle) {
        if let Some(key) = place.origin().key() {
            self.by_call.insert(key, inbound);
        }
        let (cancelled, watched, calls) = (false, false, Vec::new());
        let (worker, step) = (0, false);
        self.open.insert(inbound, Open { place, deadline, worker, turn_of, step, chain, cancelled, watched, calls });
    }

    /// `onCreate` or `onDestroy` of this worker begins to make calls.
    pub(crate) fn open_step(&mut self, worker: Handle) -> u64 {
        let inbound = self.open(AskPlace::beyond_limit(Origin::Local { slot: 0 }), u64::MAX, Chain::EMPTY);
        if let Some(open) = self.open.get_mut(&inbound) {
            (open.worker, open.step) = (worker, true);
        }
        inbound
    }

    /// The turn of this worker begins with it; a tell is open from here on.
    pub(crate) fn begin(&mut self, inbound: u64, worker: Handle, origin: &Origin) {
        match self.open.get_mut(&inbound) {
            Some(open) => open.turn_of = worker,
            None if !origin.is_ask() => {
                self.insert(inbound, AskPlace::beyond_limit(origin.clone()), u64::MAX, Chain::EMPTY, worker)
            }
            None => {}
        }
    }

    /// Whom to answer; `None` when it was answered or dropped already.
    pub(crate) fn close(&mut self, inbound: u64) -> Option<Closed> {
        let open = self.open.remove(&inbound)?;
        self.cancelled -= usize::from(open.cancelled);
        if let Some((left, ended)) = self.awaited.get_mut(&open.worker).filter(|_| open.place.origin().is_ask()) {
            *left = left.saturating_sub(1);
            if *left == 0 {
                ended.notify_one();
            }
        }
        if let Some(key) = open.place.origin().key() {
            // A peer may have used the number again.
            if self.by_call.get(&key) == Some(&inbound) {
                self.by_call.remove(&key);
            }
        }
        Some(Closed { place: open.place, cancelled: open.cancelled, turn_of: open.turn_of })
    }

    /// The handler ended and its answer waits: it is nobody's turn any more. The worker whose turn it was; 0: of none.
    pub(crate) fn end_turn(&mut self, inbound: u64) -> Handle {
        self.open.get_mut(&inbound).map_or(0, |open| std::mem::take(&mut open.turn_of))
    }

    /// JavaScript is given it for a handler of this worker; 0: that did not start after all.
    pub(crate) fn give_to(&mut self, inbound: u64, worker: Handle) {
        if let Some(open) = self.open.get_mut(&inbound) {
            open.worker = worker;
        }
    }

    /// The asks that this worker handles, and when nobody waits any more for the last of them.
    pub(crate) fn handled_by(&self, worker: Handle) -> (Vec<u64>, u64) {
        let asks = self.open.iter().filter(|(_, open)| open.worker == worker && open.place.origin().is_ask());
        asks.fold((Vec::new(), 0), |(mut numbers, deadline), (inbound, open)| {
            numbers.push(*inbound);
            (numbers, deadline.max(open.deadline))
        })
    }

    /// Tells when so many asks that this worker handles have ended, or nobody is to wait for them.
    pub(crate) fn await_end(&mut self, worker: Handle, asks: usize) -> Arc<Notify> {
        let ended = Arc::new(Notify::new());
        self.awaited.insert(worker, (asks, ended.clone()));
        ended
    }

    pub(crate) fn forget_end(&mut self, worker: Handle) {
        self.awaited.remove(&worker);
    }

    /// This broker leaves.
    pub(crate) fn await_no_end(&self) {
        self.awaited.values().for_each(|(_, ended)| ended.notify_one());
    }

    /// Whether some of the open ones are cancelled: only then it pays to look at each.
    pub(crate) fn has_cancelled(&self) -> bool {
        self.cancelled > 0
    }

    pub(crate) fn is_cancelled(&self, inbound: u64) -> bool {
        self.open.get(&inbound).is_some_and(|open| open.cancelled)
    }

    /// Nobody waits for this one any more; `None` when that was known, or it has ended.
    pub(crate) fn cancel(&mut self, inbound: u64) -> Option<Cancelled> {
        let open = self.open.get_mut(&inbound).filter(|open| !open.cancelled)?;
        open.cancelled = true;
        self.cancelled += 1;
        Some(Cancelled { watched: open.watched, calls: std::mem::take(&mut open.calls) })
    }

    /// Takes the calls that handlers made, of all that are open.
    pub(crate) fn take_calls(&mut self) -> Vec<u64> {
        self.open.values_mut().flat_map(|open| std::mem::take(&mut open.calls)).collect()
    }

    /// What a call of this handler takes over; `None` when it has ended.
    pub(crate) fn scope(&self, inbound: u64) -> Option<Scope> {
        self.open.get(&inbound).map(|open| Scope {
            deadline: open.deadline,
            chain: open.chain.clone(),
            turn_of: open.turn_of,
            worker: open.worker,
            step: open.step,
            cancelled: open.cancelled,
        })
    }

    /// A handler made this call. `is_waiting` tells which calls have not ended yet.
    pub(crate) fn add_call(&mut self, inbound: u64, call: u64, is_waiting: impl Fn(u64) -> bool) {
        if let Some(open) = self.open.get_mut(&inbound) {
            if open.calls.len() >= SWEEP && open.calls.len() == open.calls.capacity() {
                open.calls.retain(|call| is_waiting(*call));
            }
            open.calls.push(call);
        }
    }

    /// JavaScript wants to hear of it when nobody waits any more. Its deadline, where it came from, whether that is so.
    pub(crate) fn watch(&mut self, inbound: u64) -> Option<(u64, Origin, bool)> {
        let open = self.open.get_mut(&inbound)?;
        open.watched = true;
        Some((open.deadline, open.place.origin().clone(), open.cancelled))
    }

    /// Forgets asks of this connection that nobody waits for any more; they still are somebody's turn.
    pub(crate) fn forget_expired(&mut self, connection: u64, now: u64) -> usize {
        let gone = |open: &Open| match open.place.origin() {
            Origin::Remote { connection: from, .. } => {
                from.id() == connection && now > open.deadline && open.turn_of == 0
            }
            Origin::Local { .. } => false,
        };
        let expired: Vec<u64> = self.open.iter().filter(|(_, open)| gone(open)).map(|(inbound, _)| *inbound).collect();
        expired.iter().filter_map(|inbound| self.close(*inbound)).count()
    }

    /// The number of an open ask of this peer's call.
    pub(crate) fn find(&self, connection: u64, call: u64) -> Option<u64> {
        self.by_call.get(&(connection, call)).copied()
    }

    /// All that came over this connection.
    pub(crate) fn of_connection(&self, connection: u64) -> Vec<u64> {
        let from = |open: &Open| matches!(open.place.origin(), Origin::Remote { connection: from, call } if *call > 0 && from.id() == connection);
        self.open.iter().filter(|(_, open)| from(open)).map(|(inbound, _)| *inbound).collect()
    }
}
