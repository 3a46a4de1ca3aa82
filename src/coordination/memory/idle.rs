//! Workers leave memory while they are idle.

use super::super::history::End;
use super::super::*;
use super::healing::unsettled;
use super::tables::Tables;
use crate::ids::{Incarnation, ServerTime};

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
        tables.insert_asleep(worker, now);
    }
    Slept::Asleep
}
