//! Calls that end before their answer: by the caller's signal, their deadline, or the end of whom they were made for.

use crate::broker::activation::requests::Scope;
use crate::broker::activation::workers::Workers;
use crate::broker::calls::table::Place;
use crate::broker::js::delivery::Handle;
use crate::broker::js::event::Event;
use crate::clock::boot_millis;
use crate::error::{Code, Delivered, Failure};
use crate::lock::lock;
use crate::wire::call_chain::{Chain, Link};
use crate::wire::message::Message;
use std::collections::HashMap;

impl Workers {
    /// The caller's signal aborted this call: whether it may have run; `None` when it has ended already.
    pub fn abort(&self, call: u64) -> Option<Delivered> {
        let ended = self.calls.end(call)?;
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
                        self.context.inbox.push(Event::Cancel { inbound });
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
        let mut peers = self.members.peers.connections();
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
        let text = "Cancelled: the request that made this call has already ended.";
        self.calls.fail_all(calls, |ended| aborted(text, ended.delivered()))
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

    /// The workers that wait for an ask of this handler. A parallel worker is named only where another one waits: it blocks
    /// no message itself.
    pub fn chain_of_ask(&self, inbound: u64, scope: &Scope) -> Chain {
        if scope.chain.is_empty() && scope.turn_of == 0 && !scope.step {
            return Chain::EMPTY;
        }
        self.chain_of_scope(inbound, scope)
    }

    fn chain_of_scope(&self, inbound: u64, scope: &Scope) -> Chain {
        let mut residents = lock(&self.residents);
        let Some(resident) = residents.get_mut(scope.turn_of.max(scope.worker)) else { return scope.chain.clone() };
        if scope.step {
            return resident.chain_of_step(|delivery| self.is_wanted(delivery, boot_millis()));
        }
        let worker = resident.id.clone();
        scope.chain.with(if scope.turn_of > 0 { Link { worker, turn: inbound } } else { Link::through(worker) })
    }

    /// The workers that wait for a creation which this handler requests. `direct`: the worker whose handler it is, where
    /// JavaScript kept the message to itself; it has no number then.
    pub fn chain_of_creation(&self, inbound: u64, direct: Handle) -> Chain {
        let scope = lock(&self.inbound).scope(inbound);
        match scope {
            Some(scope) => self.chain_of_scope(inbound, &scope),
            None if direct > 0 => {
                let id = lock(&self.residents).get_mut(direct).map(|resident| resident.id.clone());
                id.map_or(Chain::EMPTY, |id| Chain::EMPTY.with(Link::through(id)))
            }
            None => Chain::EMPTY,
        }
    }
}

/// The failure of a call that ends before its answer.
pub(crate) fn aborted(text: &str, delivered: Delivered) -> Failure {
    Failure::new(Code::Aborted, text).with_delivered(delivered)
}
