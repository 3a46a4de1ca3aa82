//! Proof that a broker is dead, so that its lease need not run out: each sign alone may be wrong, all together are not.
//!
//! A connection that it had proven itself on broke without a word; two attempts to connect, a moment apart, were
//! refused (or answered by another incarnation); nobody listens on its channel; and its lease was not renewed since
//! the connection broke, which the eviction checks once more. Where no connection broke, or a renewal came so close to
//! the break that either may have been first, the lease must have stood still for more than two renewals. What remains
//! is a broker that lost its connections and its listener and its subscription at once and still renews: it overlaps
//! with its successor for one renewal at most. Where either side is `strict` nothing is proven.

use crate::broker::membership::eviction::Deaths;
use crate::coordination::{Death, Member};
use crate::ids::{Incarnation, ServerId, ServerTime};
use crate::level::Level;
use std::sync::Arc;
use std::time::Duration;

/// Before each try but the last: the server may see the end of the subscription a moment later than we the end of
/// ours.
const PAUSES: [Duration; 3] = [Duration::ZERO, Duration::from_millis(100), Duration::from_millis(300)];
/// How much longer than two renewals a lease must stand still where nothing else says when its holder was last alive.
const LATE: Duration = Duration::from_millis(100);

/// Why somebody is taken for dead.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sign {
    /// A connection broke without a word.
    Broken,
    /// It could not be reached.
    Unreachable,
}

enum Finding {
    Dead(Member),
    Alive,
    /// It is no member any more.
    Gone,
    /// Its lease is waited for.
    Strict,
    Unclear,
}

/// What the tries of one proof have in common.
struct Suspicion {
    /// The coordinator's clock when the connection broke, or a little earlier. Says nothing once that clock jumped: a
    /// renewal since may carry an earlier time.
    broke: Option<ServerTime>,
    /// How often that clock had jumped then.
    jumps: u64,
    /// The server that the coordinator was on then.
    server: ServerId,
    /// The lease at the first look.
    lease_expires: Option<ServerTime>,
}

impl Deaths {
    /// Finds out whether this incarnation is dead, and evicts it then.
    pub fn suspect(self: &Arc<Self>, incarnation: &Incarnation, sign: Sign) {
        let checks = self.context.config.health_check_interval > 0
            && !self.context.config.lease.strict
            && !self.context.is_leaving();
        let Some(server) = self.context.coordinator.server() else { return };
        if !checks || *incarnation == self.context.incarnation || !self.members.peers.begin_proof(incarnation) {
            return;
        }
        let (now, jumps) = self.lease.server_clock();
        let broke = (sign == Sign::Broken).then_some(now);
        let (deaths, incarnation) = (self.clone(), incarnation.clone());
        let known = self.members.knows(&incarnation);
        self.context.spawn("proof", async move {
            // Those that come before this one may have proven it by then.
            tokio::time::sleep(deaths.turn(&incarnation)).await;
            if !known || deaths.members.knows(&incarnation) {
                deaths.prove(&incarnation, Suspicion { broke, jumps, server, lease_expires: None }).await;
            }
            deaths.members.peers.end_proof(&incarnation);
        });
    }

    async fn prove(self: &Arc<Self>, incarnation: &Incarnation, mut suspicion: Suspicion) {
        let last = 2 * Duration::from_millis(self.context.config.lease.renew) + LATE;
        for (pause, stood_still) in PAUSES.iter().map(|pause| (*pause, false)).chain([(last, true)]) {
            tokio::time::sleep(pause).await;
            match self.look_for_life(incarnation, &mut suspicion, stood_still).await {
                Finding::Unclear => {}
                Finding::Alive => return self.members.changes.watch_anew(),
                // The look says how it went, and that it need not be watched. To watch it anew before that would end here again.
                Finding::Gone => return self.members.changes.look_now(),
                Finding::Strict => return,
                Finding::Dead(member) => {
                    self.context.log(
                        Level::Info,
                        format!("The process of broker \"{}\" has ended. Evicting the broker.", member.record.broker),
                    );
                    let (lease_expires, server) = (member.lease_expires, suspicion.server.clone());
                    let death = Death::Proven { lease_expires, server };
                    self.evict(incarnation, &member.record.broker, &death).await;
                    return;
                }
            }
        }
    }

    async fn look_for_life(
        self: &Arc<Self>,
        incarnation: &Incarnation,
        suspicion: &mut Suspicion,
        stood_still: bool,
    ) -> Finding {
        let Ok(sighting) = self.lease.find_member(incarnation).await else { return Finding::Unclear };
        let Some(member) = sighting.member else { return Finding::Gone };
        if member.record.strict {
            return Finding::Strict;
        }
        if self.lease.server_clock().1 != suspicion.jumps {
            suspicion.broke = None;
        }
        let first = *suspicion.lease_expires.get_or_insert(member.lease_expires);
        let renewed = ServerTime(member.lease_expires.0.saturating_sub(member.record.lease_ttl.as_millis() as u64));
        let silent =
            suspicion.broke.is_some_and(|broke| renewed <= broke) || stood_still && first == member.lease_expires;
        if !silent {
            return Finding::Unclear;
        }
        match self.members.refuses(&member.record.address, incarnation).await {
            Some(true) => {}
            Some(false) => return Finding::Alive,
            None => return Finding::Unclear,
        }
        match self.context.coordinator.is_listening(incarnation).await {
            Ok(false) if self.lease.holds() => Finding::Dead(member),
            _ => Finding::Unclear,
        }
    }
}
