//! What happened to the membership, for the tasks that wait for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::futures::Notified;
use tokio::sync::Notify;

/// Notifications of one incarnation, each for one task or for whoever waits.
#[derive(Default)]
pub struct Changes {
    look: Notify,
    watch: Notify,
    publish: Notify,
    announce: Notify,
    verify: Notify,
    /// Others may have put back workers too, which was not looked into yet.
    unverified: AtomicBool,
    moved: Notify,
}

impl Changes {
    /// The members should be looked at now.
    pub fn look_now(&self) {
        self.look.notify_one();
    }

    /// Waits until the members should be looked at.
    pub async fn look_wanted(&self) {
        self.look.notified().await;
    }

    /// The members changed: the neighbours may be others.
    pub fn watch_anew(&self) {
        self.watch.notify_one();
    }

    /// Waits until the neighbours may be others.
    pub async fn watch_wanted(&self) {
        self.watch.notified().await;
    }

    /// This broker's record changed and must be published.
    pub fn publish(&self) {
        self.publish.notify_one();
    }

    /// Waits until this broker's record changed.
    pub async fn record_changed(&self) {
        self.publish.notified().await;
    }

    /// The database is another than the one that this broker has put itself into.
    pub fn announce(&self) {
        self.announce.notify_one();
    }

    /// Waits until the database is another.
    pub async fn database_changed(&self) {
        self.announce.notified().await;
    }

    /// Others may have put back workers that this broker put back too.
    pub fn verify(&self) {
        self.verify.notify_one();
    }

    /// Waits until workers that were put back have to be verified.
    pub async fn verification_wanted(&self) {
        self.verify.notified().await;
    }

    /// This broker put back what it holds: the next look at the members verifies it.
    pub fn verify_at_next_look(&self) {
        self.unverified.store(true, Ordering::Release);
    }

    /// A look at the members was taken.
    pub fn looked(&self) {
        if self.unverified.swap(false, Ordering::AcqRel) {
            self.verify();
        }
    }

    /// The registry is whole again, or a death is known, or workers have a new owner: whoever waits looks again.
    pub fn moved(&self) {
        self.moved.notify_waiters();
    }

    /// For whoever waits until something moved.
    pub fn next_move(&self) -> Notified<'_> {
        self.moved.notified()
    }

    /// Waits until the registry is whole again or a death is known, but no longer than this.
    pub async fn wait_to_settle(&self, at_most: Duration) {
        let _ = tokio::time::timeout(at_most, self.moved.notified()).await;
    }
}
