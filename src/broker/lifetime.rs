//! The life of a broker: started, fenced and joined again, destroyed.

use crate::broker::core::Core;
use crate::broker::incarnation::Life;
use crate::broker::js::event::{DestroyCause, Event};
use crate::clock::boot_millis;
use crate::coordination::{Fate, CHUNK};
use crate::error::{Code, Failure};
use crate::level::Level;
use crate::lock::lock;
use std::collections::HashSet;
use std::future::Future;
use std::pin::{pin, Pin};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{channel, Receiver};
use std::sync::Arc;
use std::time::Duration;

/// How long leaving waits for the coordinator, beyond `destroyTimeout`; then the lease runs out by itself.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(1);
/// How long leaving waits until the others know of it, before workers end: a slow answer must not use up their time.
const PLACEMENTS_STOP: Duration = Duration::from_millis(500);

impl Core {
    /// Joins; answers under `slot` with `{"listening", "incarnation"}`.
    pub fn start(self: &Arc<Self>, slot: u64) {
        let core = self.clone();
        let term = self.next_term();
        self.runtime.spawn(async move {
            let event = match core.join().await {
                Ok(life) => {
                    let listening = life.membership.members.record().address.to_string();
                    let incarnation = life.context.incarnation.to_string();
                    if core.begin(life, term).await {
                        let value = serde_json::json!({ "listening": listening, "incarnation": incarnation });
                        Event::done_json(slot, value.to_string())
                    } else {
                        Event::failed(
                            slot,
                            Failure::new(Code::State, "The broker was destroyed while it was starting."),
                        )
                    }
                }
                Err(failure) => Event::failed(slot, failure),
            };
            core.inbox.push(event);
        });
    }

    /// Takes a new life on; `false`, and it leaves at once, when it is not wanted any more.
    async fn begin(self: &Arc<Self>, life: Arc<Life>, term: u64) -> bool {
        let wanted = {
            let mut current = lock(&self.life);
            let wanted = self.term.load(Ordering::Acquire) == term;
            if wanted {
                *current = Some(life.clone());
            }
            wanted
        };
        // What was set while it joined.
        life.membership.members.equip();
        if !wanted {
            let _ = tokio::time::timeout(LEAVE_TIMEOUT, leave_registry(&life, Fate::Recover)).await;
            end(&life, true).await;
            return false;
        }
        self.set_going(&life);
        if life.context.is_cordoned() {
            // It may have been set while the record was being registered.
            life.membership.members.changes.publish();
        }
        self.inbox.push(Event::Readiness);
        let core = self.clone();
        // Not a task of the life: it ends it.
        self.runtime.spawn(async move {
            let fenced = tokio::select! {
                () = life.lease.lost() => true,
                () = life.context.tasks.ended() => false,
            };
            if fenced {
                core.rejoin(life, term).await;
            }
        });
        true
    }

    fn next_term(&self) -> u64 {
        self.term.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// The incarnation is over although the broker lives: its workers end, and it joins under a new one.
    fn rejoin(self: Arc<Self>, life: Arc<Life>, term: u64) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        // Boxed: joining again begins again.
        Box::pin(async move {
            {
                let mut current = lock(&self.life);
                if !current.as_ref().is_some_and(|current| Arc::ptr_eq(current, &life)) {
                    return;
                }
                *current = None;
            }
            self.inbox.push(Event::Readiness);
            let handles = life.activation.workers.handles();
            for handle in handles {
                self.inbox.push(Event::Destroy { handle, cause: DestroyCause::Fenced });
            }
            end(&life, false).await;
            let mut backoff = life.context.backoff();
            loop {
                match self.join().await {
                    Ok(next) => {
                        next.context.log(Level::Info, "The broker has rejoined the cluster.");
                        self.begin(next, term).await;
                        return;
                    }
                    Err(failure) => life
                        .context
                        .log(Level::Error, format!("The broker could not rejoin the cluster: {failure}. Retrying.")),
                }
                tokio::time::sleep(backoff.next_wait()).await;
                if self.term.load(Ordering::Acquire) != term {
                    return;
                }
            }
        })
    }

    /// Leaves: workers end, recoverable ones are handed over; answers under `slot`.
    pub fn destroy(self: &Arc<Self>, slot: u64, no_recover: bool) {
        self.next_term();
        let life = lock(&self.life).clone();
        let core = self.clone();
        self.runtime.spawn(async move {
            if let Some(life) = life {
                core.leave(&life, no_recover).await;
                let mut current = lock(&core.life);
                if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, &life)) {
                    *current = None;
                }
            }
            core.inbox.push(Event::done(slot));
        });
    }

    async fn leave(&self, life: &Arc<Life>, no_recover: bool) {
        let give_up = boot_millis() + self.config.destroy_timeout;
        life.leaves(no_recover);
        // First of all nobody places anything here any more.
        let told =
            tokio::time::timeout(PLACEMENTS_STOP, life.context.coordinator.update(&life.membership.members.record()))
                .await;
        if !matches!(told, Ok(Ok(_))) {
            life.membership.members.changes.publish();
        }
        let handles = life.activation.workers.active();
        for handle in handles {
            // What arrives from now on waits, and goes back when the worker is gone.
            life.activation.lifecycle.destroying(handle, !no_recover, false);
            self.inbox.push(Event::Destroy { handle, cause: DestroyCause::System });
        }
        loop {
            // Before the look: no departure after it is missed.
            let mut departed = pin!(life.activation.workers.next_departure());
            departed.as_mut().enable();
            let left = give_up.saturating_sub(boot_millis());
            if life.activation.workers.count() == 0 || left == 0 {
                break;
            }
            let _ = tokio::time::timeout(Duration::from_millis(left), departed).await;
        }
        let left = life.activation.workers.count();
        if left > 0 {
            life.context
                .log(Level::Warn, format!("{left} workers did not end in time: the broker leaves without them."));
        }
        let fate = if no_recover { Fate::Delete } else { Fate::Recover };
        if tokio::time::timeout(LEAVE_TIMEOUT, leave_registry(life, fate)).await.is_err() {
            life.context.log(Level::Warn, "Redis did not answer while this broker was leaving. Its lease remains until it expires; the other brokers then recover its workers.");
        }
        end(life, true).await;
    }

    /// Drops everything at once: no goodbye, no handing over. What a kill does, for tests and the demo.
    pub fn crash(&self) {
        self.next_term();
        let life = lock(&self.life).take();
        if let Some(life) = life {
            life.context.tasks.end();
            abort(&life);
            self.runtime.spawn(async move { life.context.registry.close().await });
        }
    }

    /// The JavaScript environment ends: what lived in it is gone, its recoverable workers go elsewhere. The receiver
    /// hears when the registry knows, or that it will not hear.
    /// `crashed`: by an error, which may be the doing of a worker: the others find out which.
    pub fn dispose(&self, crashed: bool) -> Receiver<()> {
        let (left, gone) = channel();
        self.next_term();
        let life = lock(&self.life).take();
        if let Some(life) = life {
            life.context.tasks.end();
            abort(&life);
            let finished = life.activation.workers.finished();
            self.runtime.spawn(async move {
                let leaving = async {
                    // What ended for good is not to be recovered, even if its end was not yet written.
                    if !finished.is_empty() {
                        let _ = life.context.coordinator.restore(&life.context.incarnation, &finished).await;
                    }
                    match crashed {
                        true => drop(life.context.coordinator.leave(&life.context.incarnation, Fate::Crash, 0).await),
                        false => leave_registry(&life, Fate::Recover).await,
                    }
                };
                let _ = tokio::time::timeout(LEAVE_TIMEOUT, leaving).await;
                // Whoever waits may be gone already.
                let _ = left.send(());
                life.context.registry.close().await;
            });
        }
        gone
    }
}

async fn leave_registry(life: &Arc<Life>, fate: Fate) {
    let mut backoff = life.context.backoff();
    loop {
        match life.context.coordinator.leave(&life.context.incarnation, fate, CHUNK).await {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) => {
                life.context.log(Level::Debug, format!("The broker could not leave the cluster: {error}. Retrying."));
                tokio::time::sleep(backoff.next_wait()).await;
            }
        }
    }
}

/// Drops all sockets at once.
fn abort(life: &Life) {
    life.membership.members.transports.abort();
}

/// Ends sockets and tasks, and everything that still waits.
async fn end(life: &Arc<Life>, politely: bool) {
    life.context.tasks.end();
    if politely {
        life.membership.members.transports.close().await;
    } else {
        abort(life);
    }
    life.context.tasks.join().await;
    life.context.close_log();
    life.context.registry.close().await;
    let gone: HashSet<_> = life.activation.workers.handles().into_iter().collect();
    life.context.inbox.forget(|handle| gone.contains(&handle));
    life.context.fail_operations();
    life.activation.saving.fail_everything();
    life.directory.routes.fail_everything();
    life.calls.fail_everything();
}
