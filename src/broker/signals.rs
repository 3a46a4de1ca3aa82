//! Hints that other brokers publish: each goes to the room that it is for.

use crate::broker::incarnation::Life;
use crate::coordination::Signal;
use crate::level::Level;
use std::sync::Arc;
use tokio::sync::broadcast::error::RecvError;

/// Follows hints, as long as the incarnation goes on.
pub(crate) async fn keep_signals(life: Arc<Life>) {
    let mut signals = life.context.coordinator.signals();
    loop {
        match signals.recv().await {
            Ok(Signal::Members | Signal::Restart) => life.membership.members.changes.look_now(),
            Ok(Signal::Pending { cluster, class, waiting, worker }) => {
                life.activation.recovery.hear_of_waiting(&cluster, class, waiting, &worker);
            }
            Ok(Signal::Timer { cluster, class, next }) => life.activation.alarms.hear(&cluster, class, next),
            Ok(Signal::Dead { incarnation, before, version }) => {
                life.membership.view.hear_of_death(&incarnation, before, version).await;
            }
            Ok(Signal::Settled) => {
                life.activation.alarms.read_all();
                life.membership.members.changes.moved();
                life.membership.members.changes.look_now();
            }
            Ok(Signal::Claimed) => life.directory.routes.wake_searches(),
            Ok(Signal::Unusable { about, by, complaint }) if about == life.context.incarnation => {
                life.directory.reports.hear_complaint(&by, complaint);
            }
            Ok(Signal::Unusable { .. }) => {}
            Ok(Signal::Overruled(incarnation)) if incarnation == life.context.incarnation => {
                life.membership.members.changes.verify()
            }
            Ok(Signal::Overruled(_)) => {}
            Ok(Signal::Foreign(key)) => life.context.log(
                Level::Warn,
                format!("Expected {key:?} in Redis to have the type that dworker gave it, but another program has changed it. The key was deleted."),
            ),
            Ok(Signal::Unreadable(key)) => life.context.log(
                Level::Warn,
                format!("The entry {key:?} in Redis could not be read, because another program has changed it. The entry was deleted."),
            ),
            Ok(Signal::Resync) | Err(RecvError::Lagged(_)) => {
                life.membership.members.check_server();
                life.membership.members.changes.look_now();
                life.membership.members.claim_everything();
                life.activation.alarms.read_all();
                life.activation.workers.audit();
            }
            Err(RecvError::Closed) => return,
        }
    }
}
