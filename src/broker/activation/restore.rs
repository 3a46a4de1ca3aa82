//! Putting back what this broker holds, when the coordinator's server was restarted, wiped, replaced or rolled back.
//!
//! Each renewal says which database answered. One that this incarnation has not put itself into grants it nothing: the
//! gate closes when the last lease of the old one has run out, as others may by then have taken over what it holds.

use crate::broker::activation::lifecycle::Lifecycle;
use crate::broker::activation::workers::Workers;
use crate::broker::activation::write_back::WriteBack;
use crate::broker::context::shared::Context;
use crate::broker::js::event::Event;
use crate::broker::lease::room::Lease;
use crate::broker::membership::members::Members;
use crate::clock::boot_millis;
use crate::coordination::{CoordinationResult, Joined};
use crate::level::Level;
use std::sync::Arc;
use std::time::Duration;

/// Between two looks whether the others have put back theirs.
const LOOK: Duration = Duration::from_millis(100);

/// Puts back what this broker holds, in a database that does not know it.
pub struct Restore {
    pub(super) context: Arc<Context>,
    pub(super) lease: Arc<Lease>,
    pub(super) members: Arc<Members>,
    pub(super) workers: Arc<Workers>,
    pub(super) write_back: Arc<WriteBack>,
}

impl Restore {
    pub(super) fn new(lifecycle: &Arc<Lifecycle>) -> Arc<Self> {
        Arc::new(Self {
            context: lifecycle.context.clone(),
            lease: lifecycle.workers.lease.clone(),
            members: lifecycle.members.clone(),
            workers: lifecycle.workers.clone(),
            write_back: WriteBack::new(lifecycle),
        })
    }

    /// Puts back whatever this broker holds whenever the database is another, as long as the life goes on.
    pub async fn keep_announcing(self: Arc<Self>) {
        loop {
            let again = tokio::select! {
                () = self.members.changes.database_changed() => false,
                () = self.members.changes.verification_wanted() => true,
            };
            let mut backoff = self.context.backoff();
            while !self.context.is_leaving() {
                let done = if again { self.restore_again().await } else { self.put_back().await };
                match done {
                    Ok(true) => break,
                    // The database changed once more.
                    Ok(false) if again => {
                        self.members.changes.announce();
                        break;
                    }
                    Ok(false) => {}
                    Err(error) => {
                        self.context.log(Level::Debug, format!("The registry could not be restored yet: {error}"))
                    }
                }
                tokio::time::sleep(backoff.next_wait()).await;
            }
        }
    }

    async fn put_back(self: &Arc<Self>) -> CoordinationResult<bool> {
        if self.is_at_home().await? {
            return Ok(true);
        }
        let writing = self.workers.registrar.turn.write().await;
        let sent = boot_millis();
        let Some(joined) = self.members.announce_alone().await? else {
            self.step_aside();
            return Ok(true);
        };
        // Others may have taken over what it holds: the gate stays closed until all of them have spoken.
        let lapsed = !self.lease.holds();
        if !lapsed {
            self.members.restores_into(&joined);
        }
        self.lease.hear_time(sent, joined.now);
        self.members.accept_secret(&joined.secret);
        let (current, stale) = self.write_back.compare_own().await?;
        self.write_back.give_up_entries(&stale).await?;
        if !self.write_back.write_back(current).await? {
            return Ok(false);
        }
        if !self.context.coordinator.settle(&self.context.incarnation, &joined).await? {
            return Ok(false);
        }
        drop(writing);
        // It may also have run out meanwhile, because the others waited no longer.
        if lapsed || !self.lease.holds() {
            while !self.lease.find_member(&self.context.incarnation).await?.settled {
                if self.context.coordinator.server().is_some_and(|server| server != joined.server) {
                    return Ok(false);
                }
                tokio::time::sleep(LOOK).await;
            }
            if !self.restore_again().await? {
                return Ok(false);
            }
        } else {
            self.lease.extend(sent);
        }
        self.moved_in_with(&joined);
        Ok(true)
    }

    /// Whether the database is one that this incarnation has put itself into already.
    async fn is_at_home(&self) -> CoordinationResult<bool> {
        let sighting = self.lease.find_member(&self.context.incarnation).await?;
        let server = self.context.coordinator.server();
        let known = server.is_some_and(|server| self.members.is_home(&sighting.generation, &server));
        Ok(sighting.member.is_some() && known && sighting.settled)
    }

    /// Another life of this broker joined while this one was not known: of the two exactly one goes on.
    fn step_aside(&self) {
        self.lease.lose(format!("Another live broker has the id \"{}\": the workers here end.", self.context.broker));
    }

    fn moved_in_with(&self, joined: &Joined) {
        let wiped = self.members.settled_in(joined);
        if wiped {
            self.context.log(Level::Error, "Redis lost its data. Workers that are awake are put back with theirs; workers that were asleep are lost.");
        }
        self.context.inbox.push(Event::Restored { wiped });
        self.lease.is_well();
        self.members.changes.verify_at_next_look();
        self.context
            .log(Level::Info, "Redis was reset or replaced. This broker has restored its part of the cluster state.");
        self.members.changes.look_now();
        self.members.changes.publish();
        self.warn_of_server();
    }

    /// Logs what is wrong with the settings of the coordinator's server.
    pub fn warn_of_server(&self) {
        if let Some(text) = self.context.coordinator.warning() {
            self.context.log(Level::Warn, text);
        }
    }

    /// Others may have put back workers under higher epochs meanwhile: those end here.
    async fn restore_again(self: &Arc<Self>) -> CoordinationResult<bool> {
        let _writing = self.workers.registrar.turn.write().await;
        let (current, _) = self.write_back.compare_own().await?;
        self.write_back.write_back(current).await
    }
}
