//! Workers leave memory while they are idle, and their timers wake them.

use super::super::history::End;
use super::super::*;
use super::healing::unsettled;
use super::tables::{Place, Tables};
use crate::ids::{Incarnation, ServerTime, WorkerId};

pub(super) fn sleep(tables: &mut Tables, owner: &Incarnation, sleep: &Sleep, now: ServerTime) -> Slept {
    if unsettled(tables) {
        return Slept::Unsettled;
    }
    let stands = tables.workers.get(&sleep.id).map(|worker| worker.entry.epoch);
    if tables.hold(owner, &sleep.id, sleep.epoch).is_none() {
        return match stands {
            Some(epoch) if epoch >= sleep.epoch => Slept::Elsewhere,
            _ => Slept::Unsettled,
        };
    }
    if let Some(mut worker) = tables.remove(&sleep.id) {
        // Its activation ended well, whether the registry was told so or not.
        (worker.entry.cause, worker.entry.attempt) = (Cause::Recovery, 0);
        worker.entry.history = worker.entry.history.after(End::Departure, worker.activated, now);
        tables.insert_asleep(worker, 0, now);
    }
    Slept::Asleep
}

pub(super) fn ring(tables: &mut Tables, request: &RingRequest, now: ServerTime) -> Ring {
    if unsettled(tables) {
        return Ring::Unsettled;
    }
    if !tables.is_member(&request.by, now) {
        return Ring::NotMember;
    }
    let (mut rung, mut next) = (0, Vec::new());
    for class in &request.classes {
        let home = (request.cluster.clone(), class.clone());
        let due = tables.timers.get(&home).into_iter().flatten().take_while(|(due, _)| *due <= now);
        let ids: Vec<WorkerId> = due.take(request.limit - rung).map(|(_, id)| id.clone()).collect();
        rung += ids.len();
        ids.iter().for_each(|id| let_wait(tables, id, now));
        let first = tables.timers.get(&home).and_then(|timers| timers.first()).map(|(due, _)| *due);
        if !ids.is_empty() {
            let (cluster, class) = home;
            tables.hint(Signal::Timer { cluster, class, next: first });
        }
        next.push(first);
    }
    Ring::Rung { rung: rung as u64, next }
}

/// The worker waits for an owner from now on.
fn let_wait(tables: &mut Tables, id: &WorkerId, now: ServerTime) {
    let Some(mut worker) = tables.remove(id) else { return };
    debug_assert!(matches!(worker.place, Place::Asleep(_)), "only workers that are asleep are in the set");
    if worker.entry.cause != Cause::New {
        worker.entry.cause = Cause::Wake;
    }
    let due = worker.entry.history.is_suspect().then_some(now);
    tables.insert_pending(worker.entry, due, worker.activated, now);
}
