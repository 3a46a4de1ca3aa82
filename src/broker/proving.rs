//! Proof that a broker is dead, so that its lease need not run out: each sign alone may be wrong, all together are not.
//!
//! A connection that it had proven itself on broke without a word; two attempts to connect, a moment apart, were
//! refused (or answered by another incarnation); nobody listens on its channel; and its lease was not renewed since
//! the connection broke, which the eviction checks once more. What remains is a broker that lost its connections and
//! its listener and its subscription at once and still renews: it overlaps with its successor for one renewal at most.

use crate::broker::event::Level;
use crate::broker::inbox::lock;
use crate::broker::life::Life;
use crate::coordination::{Death, Member};
use crate::ids::{Incarnation, ServerTime};
use crate::transport::ConnectError;
use std::sync::Arc;
use std::time::Duration;

/// Between the two attempts to connect.
const APART: Duration = Duration::from_millis(50);

impl Life {
    /// A connection to this incarnation broke without a word: finds out whether it is dead.
    pub fn suspect(self: &Arc<Self>, incarnation: &Incarnation) {
        let checks = self.config.health_check_interval > 0 && !self.is_leaving();
        if !checks || *incarnation == self.incarnation || !lock(&self.watch.suspects).insert(incarnation.clone()) {
            return;
        }
        let (life, incarnation) = (self.clone(), incarnation.clone());
        self.spawn("proof", async move {
            if let Some((member, lease_expires)) = life.prove_dead(&incarnation).await {
                let death = Death::Proven { lease_expires };
                life.evict(&incarnation, &member.record.broker, &death).await;
            }
            lock(&life.watch.suspects).remove(&incarnation);
        });
    }

    /// The member and the lease that it died with; `None` where anything speaks against its death.
    async fn prove_dead(self: &Arc<Self>, incarnation: &Incarnation) -> Option<(Member, ServerTime)> {
        let broke = self.coordinator.time().await.ok()?;
        let known = lock(&self.members).iter().find(|member| member.record.incarnation == *incarnation).cloned();
        let address = match known {
            Some(member) => member.record.address,
            // It joined after the last look.
            None => self.read_member(incarnation).await?.record.address,
        };
        for attempt in 0..2 {
            if attempt > 0 {
                tokio::time::sleep(APART).await;
            }
            let transport = self.watch.transport()?;
            match transport.connect(&address, Some(incarnation), self.hub.as_ref()).await {
                Err(ConnectError::Refused | ConnectError::WrongIncarnation) => {}
                _ => return None,
            }
        }
        if self.coordinator.is_listening(incarnation).await.ok()? {
            return None;
        }
        let member = self.read_member(incarnation).await?;
        let renewed = member.lease_expires.0.saturating_sub(member.record.lease_ttl.as_millis() as u64);
        if renewed > broke.0 || !self.lease.holds() {
            return None;
        }
        self.log(Level::Info, format!("The broker \"{}\" is proven dead.", member.record.broker));
        let lease_expires = member.lease_expires;
        Some((member, lease_expires))
    }

    async fn read_member(&self, incarnation: &Incarnation) -> Option<Member> {
        let membership = self.coordinator.scan(&self.incarnation).await.ok()?;
        membership.members.into_iter().find(|member| member.record.incarnation == *incarnation)
    }
}
