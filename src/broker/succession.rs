//! A broker id that is in use when a life begins: whether its holder lives, is silent, or is dead.

use crate::broker::event::Level;
use crate::broker::inbox::lock;
use crate::broker::life::Life;
use crate::clock::boot_millis;
use crate::coordination::{Death, Eviction, Registration, CHUNK};
use crate::error::{Code, Failure, Outcome};
use crate::ids::{Endpoint, Incarnation, ServerTime};
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Duration;

/// Between two looks at a broker id that is in use: a crashed program that is started again should not notice it.
const ID_CHECK: Duration = Duration::from_millis(100);
/// How much longer than a lease a start waits for the last holder of its id to be silent.
const ID_GRACE: u64 = 1000;
/// How long the holder's address is given to refuse: a host that is up does so at once.
const REFUSAL: Duration = Duration::from_millis(500);

/// The life that holds the broker id.
struct Holder {
    incarnation: Incarnation,
    address: Endpoint,
    lease_expires: ServerTime,
    strict: bool,
}

impl Life {
    /// Registers. A dead holder of the broker id is evicted at once, a silent one outwaited; one that lives is left
    /// alone, and the start fails.
    pub async fn register(self: &Arc<Self>) -> Outcome<()> {
        let ttl = self.config.lease.ttl();
        let give_up = boot_millis() + self.config.lease.ttl + ID_GRACE;
        let mut seen: Option<Holder> = None;
        loop {
            let sent = boot_millis();
            let holder = match self.coordinator.register(&self.record(), ttl).await.map_err(Failure::from)? {
                Registration::Joined(joined) => {
                    self.hear_time(sent, joined.now);
                    self.lease.extend(sent);
                    self.renewed_at.store(sent, Ordering::Release);
                    self.well_since.store(sent, Ordering::Release);
                    lock(&self.remembered).settled_in(&joined);
                    return Ok(());
                }
                Registration::IdInUse { incarnation, address, lease_expires, strict } => {
                    Holder { incarnation, address, lease_expires, strict }
                }
            };
            let renewed = seen.as_ref().is_some_and(|seen| {
                seen.incarnation != holder.incarnation || seen.lease_expires < holder.lease_expires
            });
            if renewed || sent >= give_up {
                let text =
                    format!("Another live broker has the id \"{}\": it listens on {}.", self.broker, holder.address);
                return Err(Failure::new(Code::BrokerIdInUse, text));
            }
            let succeeded = self.is_dead(&holder).await && self.succeed(&holder).await;
            seen = Some(holder);
            if !succeeded {
                tokio::time::sleep(ID_CHECK).await;
            }
        }
    }

    /// The proof of death, for one that has no lease and no connection of its own: the eviction checks that the lease
    /// was not renewed meanwhile. A strict holder's lease is waited for.
    async fn is_dead(&self, holder: &Holder) -> bool {
        if holder.strict {
            return false;
        }
        // First what costs a living one nothing.
        if self.coordinator.is_listening(&holder.incarnation).await.unwrap_or(true) {
            return false;
        }
        // This life listens where the holder did: then that one does not.
        let own = self.address.get() == Some(&holder.address);
        let refused = async { own || self.refuses(&holder.address, &holder.incarnation).await == Some(true) };
        tokio::time::timeout(REFUSAL, refused).await.unwrap_or(false)
            && self.coordinator.is_listening(&holder.incarnation).await == Ok(false)
    }

    /// Evicts the dead holder; `false` when it could not be done.
    async fn succeed(&self, holder: &Holder) -> bool {
        let death = Death::Succeeded { lease_expires: holder.lease_expires };
        loop {
            match self.coordinator.evict(&self.incarnation, &holder.incarnation, &death, CHUNK).await {
                Ok(Eviction::Evicted { remaining, quarantined, .. }) => {
                    self.tell_of_quarantine(quarantined);
                    if remaining == 0 {
                        break;
                    }
                }
                _ => return false,
            }
        }
        self.log(Level::Warn, format!("The last broker of the id \"{}\" is dead: this one succeeds it.", self.broker));
        true
    }
}
