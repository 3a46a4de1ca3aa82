//! Workers that are to be made again: claims this broker's share, and finds what was lost between registry and here.

use crate::broker::event::Level;
use crate::broker::inbox::lock;
use crate::broker::life::Life;
use crate::broker::residents::State;
use crate::coordination::{Claim, ClaimRequest, Member, CHUNK};
use crate::ids::{Epoch, WorkerId};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Workers that one claim takes at most: 100 take Redis 1.5 ms.
const BATCH: usize = 100;
/// Workers that are being made here at most while more are claimed: `onCreate` may be slow.
const MAX_ACTIVATING: usize = 500;
/// How long a broker with more than its share leaves workers to the others, who may be slow or gone.
const PATIENCE: Duration = Duration::from_millis(100);
/// Of what still waits then it takes one part in so many.
const IMPATIENT: usize = 4;
/// While too many are being made.
const BUSY: Duration = Duration::from_millis(20);
/// Between two tries while the coordinator does not answer, and before an audit: answers under way arrive first.
const PAUSE: Duration = Duration::from_millis(500);

/// What this broker should claim, so that all who can claim end up with the same load; and what all of them can.
struct Share {
    own: usize,
    waiting: usize,
}

impl Life {
    /// Claims whenever hinted or seen, as long as the life goes on.
    pub async fn keep_claiming(self: Arc<Self>) {
        loop {
            self.claim.notified().await;
            let mut patient = true;
            while !self.is_leaving() && !self.is_stalled() && self.lease.holds() {
                if self.activating() >= MAX_ACTIVATING {
                    tokio::time::sleep(BUSY).await;
                    continue;
                }
                let Some(Share { own, waiting }) = self.share().await else { break };
                if own == 0 && patient {
                    patient = false;
                    tokio::time::sleep(PATIENCE).await;
                    continue;
                }
                patient = true;
                // Where the others do not come to theirs, a part of it.
                let size = if own > 0 { own } else { waiting.div_ceil(IMPATIENT) };
                match self.claim_some(size).await {
                    Some(remaining) if remaining > 0 => {}
                    _ => break,
                }
            }
        }
    }

    fn activating(&self) -> usize {
        lock(&self.residents).iter().filter(|(_, resident)| resident.state == State::Activating).count()
    }

    /// `None`: nothing waits.
    async fn share(&self) -> Option<Share> {
        let membership = match self.scan().await {
            Ok(membership) => membership,
            // The claim finds out, and waits.
            Err(_) => return Some(Share { own: 1, waiting: 1 }),
        };
        let hosted = lock(&self.hosted).clone();
        let able = |member: &&Member| {
            member.lease_expires > membership.now
                && !member.record.draining
                && member.record.cluster == self.cluster
                && !member.record.classes.is_disjoint(&hosted)
        };
        let loads: Vec<u64> = membership.members.iter().filter(able).map(|member| member.load).collect();
        let own = membership.members.iter().find(|member| member.record.incarnation == self.incarnation);
        let own = own.map_or(0, |member| member.load);
        let all = loads.iter().fold(membership.claimable, |sum, load| sum.saturating_add(*load));
        let level = all.div_ceil(loads.len().max(1) as u64);
        let share = Share { own: level.saturating_sub(own) as usize, waiting: membership.claimable as usize };
        (share.waiting > 0).then_some(share)
    }

    /// How many are left to claim; `None` when it could not be told.
    async fn claim_some(self: &Arc<Self>, share: usize) -> Option<u64> {
        let request = ClaimRequest {
            by: self.incarnation.clone(),
            cluster: self.cluster.clone(),
            classes: lock(&self.hosted).clone(),
            limit: share.min(BATCH),
            ttl: Duration::from_millis(self.config.ttl),
        };
        let turn = self.registrar.turn.read().await;
        match self.coordinator.claim(&request).await {
            Ok(Claim::Claimed { entries, remaining, expired }) => {
                if !entries.is_empty() || expired > 0 {
                    let count = entries.len();
                    self.log(Level::Info, format!("Recovering {count} workers; {expired} were too old."));
                }
                entries.into_iter().for_each(|entry| self.move_in(entry, Vec::new()));
                Some(remaining)
            }
            Ok(Claim::NotMember) => None,
            Ok(Claim::Unsettled) => {
                drop(turn);
                self.check_server();
                self.wait_to_settle(PAUSE).await;
                self.claim.notify_one();
                None
            }
            Err(error) => {
                // It may have been applied: then the audit finds what stands here without living here.
                drop(turn);
                self.log(Level::Warn, format!("Workers could not be claimed yet: {error}"));
                self.audit.notify_one();
                tokio::time::sleep(PAUSE).await;
                self.claim.notify_one();
                None
            }
        }
    }

    /// Takes up what stands under this incarnation and does not live here, e.g. because an answer was lost.
    pub async fn keep_audit(self: Arc<Self>) {
        loop {
            self.audit.notified().await;
            tokio::time::sleep(PAUSE).await;
            if self.is_leaving() {
                return;
            }
            match self.read_own().await {
                Ok(own) => {
                    let missing: Vec<WorkerId> = {
                        let residents = lock(&self.residents);
                        own.into_keys().filter(|id| residents.handle(id.as_str()).is_none()).collect()
                    };
                    for id in missing {
                        self.log(
                            Level::Warn,
                            format!("The worker \"{id}\" stands here without living here: it is made."),
                        );
                        self.registrar.take_up(id, None);
                    }
                }
                Err(error) => {
                    self.log(Level::Debug, format!("The audit could not be made yet: {error}"));
                    self.audit.notify_one();
                }
            }
        }
    }

    pub async fn read_own(&self) -> crate::coordination::CoordinationResult<HashMap<WorkerId, Epoch>> {
        let mut own = HashMap::new();
        loop {
            let page = self.coordinator.owned(&self.incarnation, own.len(), CHUNK).await?;
            let full = page.len() == CHUNK;
            own.extend(page);
            if !full {
                return Ok(own);
            }
        }
    }
}
