//! A broker id that another life has: whether that one lives, is silent, or is dead; it goes on, or this one takes over.

use crate::broker::membership::members::Members;
use crate::broker::membership::quarantine;
use crate::clock::boot_millis;
use crate::coordination::{Announcement, CoordinationResult, Death, Eviction, Holder, Joined, Registration, CHUNK};
use crate::error::{Code, Failure, Outcome};
use crate::level::Level;
use crate::lock::lock;
use std::sync::Arc;
use std::time::Duration;

/// Between two looks at a broker id that is in use: a crashed program that is started again should not notice it.
const ID_CHECK: Duration = Duration::from_millis(100);
/// How much longer than a lease a life waits for the other one to be silent.
const ID_GRACE: u64 = 1000;
/// How long the holder's address is given to refuse: a host that is up does so at once.
const REFUSAL: Duration = Duration::from_millis(500);

/// Another life of the same broker, as it looked so far.
#[derive(Default)]
struct Rival {
    seen: Option<Seen>,
}

struct Seen {
    holder: Holder,
    /// When this lease was first seen, on the local clock.
    since: u64,
}

impl Rival {
    /// Whether it lives: it renewed its lease since the first look, or yet another life has the id by now.
    fn lives(&mut self, holder: &Holder, now: u64) -> bool {
        let seen = self.seen.get_or_insert_with(|| Seen { holder: holder.clone(), since: now });
        seen.holder.incarnation != holder.incarnation || seen.holder.lease_expires < holder.lease_expires
    }

    /// How long its lease has stood still, as far as this life can tell.
    fn silence(&self, now: u64) -> u64 {
        self.seen.as_ref().map_or(0, |seen| now - seen.since)
    }
}

impl Members {
    /// Registers. A dead holder of the broker id is evicted at once, a silent one after its lease; one that lives is left
    /// alone, and the start fails.
    pub async fn register(self: &Arc<Self>) -> Outcome<()> {
        let ttl = self.context.config.lease.ttl();
        let mut rival = Rival::default();
        loop {
            let record = self.record();
            let ask = || async {
                let sent = boot_millis();
                Ok((sent, self.context.coordinator.register(&record, ttl).await?))
            };
            let (sent, registration) = self.context.ask_patiently(ask).await.map_err(Failure::from)?;
            let holder = match registration {
                Registration::Joined(joined) => {
                    self.registered(sent, &joined);
                    return Ok(());
                }
                Registration::IdInUse(holder) => holder,
            };
            if !self.displace(&mut rival, &holder).await {
                let text = format!(
                    "Another live broker has the id \"{}\"; it listens on {}. Give each broker an id of its own.",
                    self.context.broker, holder.address
                );
                return Err(Failure::new(Code::BrokerIdInUse, text));
            }
        }
    }

    fn registered(&self, sent: u64, joined: &Joined) {
        self.lease.hear_time(sent, joined.now);
        self.lease.granted(sent);
        lock(&self.remembered).settled_in(joined);
    }

    /// Announces this life in a database that it has not put itself into. `None`: another life of this broker joined
    /// there meanwhile, and goes on instead of this one.
    pub async fn announce_alone(self: &Arc<Self>) -> CoordinationResult<Option<Joined>> {
        let mut rival = Rival::default();
        loop {
            match self.context.coordinator.announce(&self.announcement()).await? {
                Registration::Joined(joined) => return Ok(Some(joined)),
                Registration::IdInUse(holder) if self.displace(&mut rival, &holder).await => {}
                Registration::IdInUse(_) => return Ok(None),
            }
        }
    }

    /// What this broker says of itself and of what it remembers, to a database that may know neither.
    fn announcement(&self) -> Announcement {
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

    /// Everything that this broker holds was put into this database.
    pub fn settled_in(&self, joined: &Joined) -> bool {
        let mut remembered = lock(&self.remembered);
        let before = remembered.generation().to_owned();
        remembered.settled_in(joined);
        !before.is_empty() && before != remembered.generation()
    }

    /// Evicts the other life where it is dead, and otherwise waits a moment. `false`: it lives, or it cannot be told.
    async fn displace(self: &Arc<Self>, rival: &mut Rival, holder: &Holder) -> bool {
        let now = boot_millis();
        let ttl = holder.lease_ttl.as_millis() as u64;
        if rival.lives(holder, now) || rival.silence(now) >= ttl.max(self.context.config.lease.ttl) + ID_GRACE {
            return false;
        }
        let expired = holder.lease_expires <= holder.now;
        // The clock of the coordinator may have jumped, this one did not: whoever did not renew for a whole lease has
        // stopped by itself.
        let silent = expired && rival.silence(now) >= ttl;
        if (silent || self.is_dead(holder, expired).await) && self.succeed(holder).await {
            *rival = Rival::default();
        } else {
            tokio::time::sleep(ID_CHECK).await;
        }
        true
    }

    /// The proof of death, for one that has no lease and no connection of its own: the eviction checks that the lease
    /// was not renewed meanwhile. A strict holder's silence is waited for.
    async fn is_dead(&self, holder: &Holder, expired: bool) -> bool {
        if holder.strict {
            return false;
        }
        // First what costs a living one nothing.
        if self.context.coordinator.is_listening(&holder.incarnation).await.unwrap_or(true) {
            return false;
        }
        if expired {
            return true;
        }
        // This life listens where the holder did: then that one does not.
        let own = self.address.get() == Some(&holder.address);
        let refused = async { own || self.refuses(&holder.address, &holder.incarnation).await == Some(true) };
        tokio::time::timeout(REFUSAL, refused).await.unwrap_or(false)
            && self.context.coordinator.is_listening(&holder.incarnation).await == Ok(false)
    }

    /// Evicts the dead holder; `false` when it could not be done.
    async fn succeed(&self, holder: &Holder) -> bool {
        let death = Death::Succeeded { lease_expires: holder.lease_expires };
        loop {
            match self.context.coordinator.evict(&self.context.incarnation, &holder.incarnation, &death, CHUNK).await {
                Ok(Eviction::Evicted { remaining, quarantined, .. }) => {
                    quarantine::report(&self.context, quarantined);
                    if remaining == 0 {
                        break;
                    }
                }
                _ => return false,
            }
        }
        self.context.log(
            Level::Warn,
            format!("Taking over the broker id \"{}\" from a dead incarnation.", self.context.broker),
        );
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Endpoint, ServerTime};

    fn holder(incarnation: &str, lease_expires: u64) -> Holder {
        Holder {
            incarnation: incarnation.into(),
            address: Endpoint { host: "h".into(), port: 1 },
            lease_expires: ServerTime(lease_expires),
            now: ServerTime(0),
            lease_ttl: Duration::from_secs(5),
            strict: false,
        }
    }

    #[test]
    fn a_rival_lives_that_renews_or_was_succeeded_and_its_silence_counts_from_the_first_look() {
        let mut rival = Rival::default();
        assert!(!rival.lives(&holder("a", 5), 100));
        assert!(!rival.lives(&holder("a", 5), 300));
        assert_eq!(rival.silence(400), 300);
        assert!(rival.lives(&holder("a", 6), 500));
        assert!(rival.lives(&holder("b", 5), 500));
    }
}
