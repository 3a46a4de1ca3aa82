//! Calls that end before their answer: by the caller's signal, their deadline, or the end of whom they were made for.

use crate::broker::calls::{Call, Place, Settled};
use crate::broker::event::Event;
use crate::broker::inbound::Scope;
use crate::broker::inbox::lock;
use crate::broker::life::Life;
use crate::broker::sending::Outgoing;
use crate::clock::boot_millis;
use crate::error::{Code, Delivered, Failure};
use crate::wire::chain::{Chain, Link};
use crate::wire::message::Message;
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::Arc;

impl Life {
    /// The caller's signal aborted this call: whether it may have run; `None` when it has ended already.
    pub fn abort(&self, call: u64) -> Option<Delivered> {
        let ended = lock(&self.calls).settle(call)?;
        self.withdraw([(call, ended.place)]);
        Some(ended.delivered())
    }

    /// Nobody waits for these any more: whoever has them is told, and what was asked on their behalf ends too.
    pub fn withdraw(&self, calls: impl IntoIterator<Item = (u64, Place)>) {
        let mut there: HashMap<u64, Vec<u64>> = HashMap::new();
        let mut left: Vec<_> = calls.into_iter().collect();
        while let Some((call, place)) = left.pop() {
            match place {
                Place::Nowhere => {}
                Place::There { connection } => there.entry(connection).or_default().push(call),
                Place::Here { inbound } => {
                    let cancelled = lock(&self.inbound).cancel(inbound);
                    let Some(cancelled) = cancelled else { continue };
                    if cancelled.watched {
                        self.inbox.push(Event::Cancel { inbound });
                    }
                    left.extend(self.abort_all(cancelled.calls));
                }
            }
        }
        self.send_cancels(&there);
    }

    fn send_cancels(&self, there: &HashMap<u64, Vec<u64>>) {
        if there.is_empty() {
            return;
        }
        let mut peers: Vec<_> = lock(&self.peers).values().cloned().collect();
        peers.retain(|connection| there.contains_key(&connection.id()));
        for connection in peers {
            for call in there.get(&connection.id()).into_iter().flatten() {
                // One that is closed or full loses nothing: the receiver knows the deadline.
                let _ = connection.send(&Message::Cancel { call: *call });
            }
            connection.flush();
        }
    }

    /// Ends calls that a handler made; where they were.
    fn abort_all(&self, calls: Vec<u64>) -> Vec<(u64, Place)> {
        let ended: Vec<(u64, Call)> = {
            let mut waiting = lock(&self.calls);
            calls.into_iter().filter_map(|call| waiting.settle(call).map(|ended| (call, ended))).collect()
        };
        let places = ended.iter().map(|(call, ended)| (*call, ended.place)).collect();
        for (call, ended) in ended {
            let failure = aborted("The call was made for one that nobody waits for any more.", ended.delivered());
            self.answer(call, ended, Settled::Failure { failure, body: Bytes::new() });
        }
        places
    }

    /// The peer says that nobody waits for this one.
    pub fn cancel(&self, inbound: u64) {
        self.withdraw([(0, Place::Here { inbound })]);
    }

    /// Nobody waits for what came over this connection.
    pub fn callers_lost(&self, connection: u64) {
        let lost = lock(&self.inbound).of_connection(connection);
        self.withdraw(lost.into_iter().map(|inbound| (0, Place::Here { inbound })));
    }

    /// This broker cannot prove that it lives: what its handlers asked ends.
    pub fn abort_calls_of_handlers(&self) {
        let calls = lock(&self.inbound).take_calls();
        let places = self.abort_all(calls);
        self.withdraw(places);
    }

    /// Who waits for the calls of this handler.
    pub fn chain_of_calls(&self, inbound: u64, scope: &Scope) -> Chain {
        // A parallel worker is named only where somebody waits: it blocks nothing itself.
        let worker = if scope.chain.is_empty() { scope.turn_of } else { scope.turn_of.max(scope.worker) };
        if worker == 0 {
            return scope.chain.clone();
        }
        let id = lock(&self.residents).get_mut(worker).map(|resident| resident.id.clone());
        match id {
            None => scope.chain.clone(),
            Some(id) if scope.turn_of > 0 => scope.chain.with(Link { worker: id, turn: inbound }),
            Some(id) => scope.chain.with(Link::through(id)),
        }
    }

    /// An ask of the handler of `inbound`: it ends with the call that is being handled, and knows whose turns wait.
    pub fn ask_for(self: &Arc<Self>, inbound: u64, mut outgoing: Outgoing<'_>) {
        let now = boot_millis();
        let scope = lock(&self.inbound).scope(inbound);
        if let Some(scope) = scope {
            outgoing.deadline = outgoing.deadline.min(scope.deadline);
            let failure = if scope.cancelled {
                Some(aborted("Nobody waits any more for the call that is being handled.", Delivered::No))
            } else if outgoing.deadline <= now {
                let text = "The call that is being handled has no time left.";
                Some(Failure::new(Code::Timeout, text).with_delivered(Delivered::No))
            } else {
                None
            };
            if let Some(failure) = failure {
                self.inbox.push(Event::failed(outgoing.slot, failure));
                return;
            }
            outgoing.chain = self.chain_of_calls(inbound, &scope);
            let is_waiting = |call| lock(&self.calls).is_waiting(call);
            lock(&self.inbound).add_call(inbound, outgoing.slot, is_waiting);
        }
        self.send_ask(&outgoing, now);
    }
}

fn aborted(text: &str, delivered: Delivered) -> Failure {
    Failure::new(Code::Aborted, text).with_delivered(delivered)
}
