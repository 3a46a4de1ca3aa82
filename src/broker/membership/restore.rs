//! Putting back what this broker holds, when the coordinator's server was restarted, wiped, replaced or rolled back.
//!
//! Each renewal says which database answered. One that this incarnation has not put itself into grants it nothing: the
//! gate closes when the last lease of the old one has run out, as others may by then have taken over what it holds.

use crate::broker::activation::catalog::State;
use crate::broker::incarnation::Life;
use crate::broker::js::delivery::Handle;
use crate::broker::js::event::{DestroyCause, Event};
use crate::broker::membership::eviction::{Reading, Upcoming};
use crate::clock::boot_millis;
use crate::coordination::{
    Announcement, Cause, CoordinationResult, EntryState, Fate, Held, Joined, Release, Renewal, Restoration, CHUNK,
};
use crate::error::Code;
use crate::level::Level;
use crate::lock::lock;
use crate::wire::handshake::Secrets;
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Duration;

/// Workers that one call puts back: 20 µs each, and Redis serves nobody meanwhile.
const RESTORED: usize = 200;
/// Between two looks whether the others have put back theirs.
const LOOK: Duration = Duration::from_millis(100);

/// What an answer to a renewal means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// The lease is longer now.
    Renewed,
    /// Another database than the one that this broker has put itself into: it must do so first.
    Unknown,
    /// The incarnation is over.
    Evicted,
}

impl Life {
    /// Reads an answer to a renewal, sent at `sent` on the local clock; before the lease is extended by it.
    pub fn renewed(&self, sent: u64, renewal: &Renewal) -> Standing {
        let (now, generation, server, agreed) = match renewal {
            Renewal::Renewed { now, generation, server, server_agreed, .. } => {
                (*now, Some(generation), server, *server_agreed)
            }
            Renewal::Evicted { now, generation, server, server_agreed } => {
                (*now, generation.as_ref(), server, *server_agreed)
            }
        };
        self.hear_time(sent, now);
        let home = agreed && generation.is_some_and(|generation| lock(&self.remembered).is_home(generation, server));
        if !home {
            self.announce.notify_one();
            return Standing::Unknown;
        }
        match renewal {
            Renewal::Evicted { .. } => Standing::Evicted,
            Renewal::Renewed { next_expiry, .. } => {
                let local = boot_millis();
                let last = self.renewed_at.swap(local, Ordering::AcqRel);
                if 2 * local.saturating_sub(last) > self.context.config.lease.ttl {
                    self.well_since.store(local, Ordering::Release);
                }
                let next = next_expiry.as_ref().map(|expiry| expiry.at);
                if lock(&self.clock).next_runs_out(next, now) {
                    self.clock_jumped("a lease went back");
                }
                let next = next_expiry.clone().map(|expiry| {
                    let due = local + expiry.at.0.saturating_sub(now.0);
                    Upcoming { incarnation: expiry.incarnation, due, reading: Reading { server: now, local } }
                });
                self.next_expiry.send_replace(next);
                Standing::Renewed
            }
        }
    }

    /// The coordinator may lead to another server now.
    pub fn check_server(&self) {
        let known = |server| lock(&self.remembered).is_server(&server);
        if !self.context.coordinator.server().is_none_or(known) {
            self.announce.notify_one();
        }
    }

    /// Until the registry is whole again or a death is known, but no longer than this.
    pub async fn wait_to_settle(&self, at_most: Duration) {
        let _ = tokio::time::timeout(at_most, self.moved.notified()).await;
    }

    /// Puts back whatever this broker holds whenever the database is another, as long as the life goes on.
    pub async fn keep_announcing(self: Arc<Self>) {
        loop {
            let again = tokio::select! {
                () = self.announce.notified() => false,
                () = self.verify.notified() => true,
            };
            let mut backoff = self.context.backoff();
            while !self.context.is_leaving() {
                let done = if again { self.restore_again().await } else { self.put_back().await };
                match done {
                    Ok(true) => break,
                    // The database changed once more.
                    Ok(false) if again => {
                        self.announce.notify_one();
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
        let writing = self.registrar.turn.write().await;
        let sent = boot_millis();
        let Some(joined) = self.announce_alone().await? else {
            self.step_aside();
            return Ok(true);
        };
        // Others may have taken over what it holds: the gate stays closed until all of them have spoken.
        let lapsed = !self.lease.holds();
        self.hear_time(sent, joined.now);
        self.accept_secret(&joined.secret);
        // First: restoring prolongs the time that this broker is awaited, reading does not.
        self.give_up_what_does_not_live_here().await?;
        if !self.restore_all().await? {
            return Ok(false);
        }
        if !self.context.coordinator.settle(&self.context.incarnation, &joined).await? {
            return Ok(false);
        }
        drop(writing);
        if lapsed {
            while !self.find_member(&self.context.incarnation).await?.settled {
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
        let sighting = self.find_member(&self.context.incarnation).await?;
        let server = self.context.coordinator.server();
        let known = server.is_some_and(|server| lock(&self.remembered).is_home(&sighting.generation, &server));
        Ok(sighting.member.is_some() && known && sighting.settled)
    }

    /// Another life of this broker joined while this one was not known: of the two exactly one goes on.
    fn step_aside(&self) {
        self.lease.lose();
        let text = format!("Another live broker has the id \"{}\": the workers here end.", self.context.broker);
        self.context.log(Level::Error, text);
        self.fenced.notify_one();
    }

    fn moved_in_with(&self, joined: &Joined) {
        lock(&self.remembered).settled_in(joined);
        self.well_since.store(boot_millis(), Ordering::Release);
        self.unverified.store(true, Ordering::Release);
        self.context
            .log(Level::Info, "Redis lost what it knew, or is another: this broker has put back what it holds.");
        self.look.notify_one();
        self.publish.notify_one();
        self.warn_of_server();
    }

    /// Logs what is wrong with the settings of the coordinator's server.
    pub fn warn_of_server(&self) {
        if let Some(text) = self.context.coordinator.warning() {
            self.context.log(Level::Warn, text);
        }
    }

    pub fn announcement(&self) -> Announcement {
        let remembered = lock(&self.remembered);
        let others = remembered.members.values().filter(|record| record.incarnation != self.context.incarnation);
        let ttl = self.context.config.lease.ttl();
        Announcement {
            record: self.record(),
            ttl,
            generation: remembered.generation().to_owned(),
            secret: remembered.secrets.first().cloned().unwrap_or_default(),
            epoch: remembered.epoch,
            counters: remembered.counters(),
            restart_number: remembered.restart_number,
            patience: others.clone().map(|record| record.lease_ttl).fold(ttl, Duration::max),
            remembered: others.map(|record| record.incarnation.clone()).collect(),
        }
    }

    /// Others may have put back workers under higher epochs meanwhile: those end here.
    async fn restore_again(self: &Arc<Self>) -> CoordinationResult<bool> {
        let _writing = self.registrar.turn.write().await;
        self.restore_all().await
    }

    /// `false`: this incarnation is not a member (any more).
    async fn restore_all(self: &Arc<Self>) -> CoordinationResult<bool> {
        let held: Vec<(Handle, Held)> = lock(&self.residents)
            .iter()
            .map(|(handle, resident)| {
                let mut entry = (*resident.entry).clone();
                if resident.state != State::Activating {
                    (entry.cause, entry.attempt) = (Cause::Recovery, 0);
                }
                (handle, Held { entry, state: EntryState::Active, load: resident.load })
            })
            .collect();
        for chunk in held.chunks(RESTORED) {
            let (handles, workers): (Vec<Handle>, Vec<Held>) = chunk.iter().cloned().unzip();
            match self.context.coordinator.restore(&self.context.incarnation, &workers).await? {
                Restoration::NotMember => return Ok(false),
                Restoration::Restored(stands) => {
                    let fenced = handles.into_iter().zip(stands).filter(|(_, stands)| !stands);
                    fenced.for_each(|(handle, _)| self.fence(handle));
                }
            }
        }
        Ok(true)
    }

    /// Another instance has a higher epoch: this one ends.
    fn fence(self: &Arc<Self>, handle: Handle) {
        if let Some(resident) = lock(&self.residents).get_mut(handle) {
            // From now on what arrives waits in the mailbox, behind what is in the queue already.
            resident.state = State::Leaving;
            self.context
                .log(Level::Error, format!("The worker \"{}\" lives elsewhere too: this instance ends.", resident.id));
        }
        for delivery in self.context.inbox.forget(|gone| gone == handle) {
            self.send_back(delivery, Code::WorkerNotFound);
        }
        let (asks, _) = lock(&self.inbound).handled_by(handle);
        self.cut_asks(handle, &asks);
        self.context.inbox.push(Event::Destroy { handle, cause: DestroyCause::Fenced });
        self.move_out(handle);
    }

    /// What stands under this incarnation from before, and went since.
    async fn give_up_what_does_not_live_here(&self) -> CoordinationResult<()> {
        let own = self.read_own().await?;
        let stale: Vec<Release> = {
            let residents = lock(&self.residents);
            let gone = own.into_iter().filter(|(id, _)| residents.handle(id.as_str()).is_none());
            gone.map(|(id, epoch)| Release { id, epoch, fate: Fate::Delete }).collect()
        };
        for chunk in stale.chunks(CHUNK) {
            self.context.coordinator.release(&self.context.incarnation, chunk).await?;
        }
        Ok(())
    }

    /// The namespace's secret is another now: the last one is still accepted for as long as somebody may not know.
    fn accept_secret(self: &Arc<Self>, secret: &str) {
        if !lock(&self.remembered).replace_secret(secret) {
            return;
        }
        self.equip();
        let (life, secret) = (self.clone(), secret.to_owned());
        self.context.spawn("secret", async move {
            tokio::time::sleep(life.context.config.lease.ttl()).await;
            lock(&life.remembered).forget_secrets_before(&secret);
            life.equip();
        });
    }

    /// Sets what this broker proves itself by: the application's secrets, or the namespace's where there are none.
    pub fn equip(&self) {
        let (given, tls) = {
            let proofs = lock(&self.proofs);
            (proofs.secrets.clone(), proofs.tls.clone())
        };
        let own = || lock(&self.remembered).secrets.iter().map(|secret| secret.clone().into_bytes()).collect();
        let secrets = Secrets(if given.is_empty() { own() } else { given });
        for transport in self.transport.get().into_iter().chain(self.watch.transport()) {
            transport.set_secrets(secrets.clone());
            transport.set_tls(tls.clone());
        }
    }
}
