//! Workers that are to be made again: claims this broker's share, and finds what was lost between registry and here.

use crate::broker::activation::catalog::State;
use crate::broker::activation::lifecycle::Lifecycle;
use crate::broker::activation::trials::Trials;
use crate::broker::activation::workers::Workers;
use crate::broker::context::shared::Context;
use crate::broker::lease::room::Lease;
use crate::broker::membership::members::Members;
use crate::clock::boot_millis;
use crate::coordination::{Claim, ClaimRequest};
use crate::ids::{ClassName, ClusterName, WorkerId};
use crate::level::Level;
use crate::lock::lock;
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::AtomicU32;
use std::sync::Arc;
use std::time::Duration;

/// Workers that one claim takes at most: 100 take Redis 1.5 ms.
const BATCH: usize = 100;
/// Activations of one class that run here at most while more workers of it are claimed: `onCreate` may be slow.
const MAX_ACTIVATING: usize = 500;
/// An activation that takes longer does not count towards these any more, ms: it may never end.
const SLOW_ACTIVATION: u64 = 5_000;
/// How long a broker with more than its share leaves workers to the others, who may be slow or gone.
const PATIENCE: Duration = Duration::from_millis(100);
/// Of what still waits then it takes one part in so many.
const OVERFLOW_CLAIM_DIVISOR: u64 = 4;
/// Between two times that this broker claims: hints that come meanwhile are answered by one claim.
const SPACING: Duration = Duration::from_millis(20);
/// Brokers that claim a moment later than those whose turn it is, which may be slow or gone; and how much later.
const SUBSTITUTES: u64 = 2;
const SUBSTITUTE_DELAY: Duration = Duration::from_millis(50);
/// While too many are being made.
const BUSY: Duration = Duration::from_millis(20);
/// Between two tries while the coordinator does not answer, and before an audit: answers under way arrive first.
pub(super) const PAUSE: Duration = Duration::from_millis(500);

/// Recovers workers: claims this broker's share of those that wait, and finds what got lost.
pub struct Recovery {
    pub(super) context: Arc<Context>,
    pub(super) lease: Arc<Lease>,
    pub(super) members: Arc<Members>,
    pub(super) workers: Arc<Workers>,
    pub(super) trials: Arc<Trials>,
    pub(super) lifecycle: Arc<Lifecycle>,
    /// Looks in a row at which the registry counted another load here than this broker.
    pub(super) odd_looks: AtomicU32,
}

impl Recovery {
    pub(super) fn new(lifecycle: &Arc<Lifecycle>) -> Arc<Self> {
        Arc::new(Self {
            context: lifecycle.context.clone(),
            lease: lifecycle.workers.lease.clone(),
            members: lifecycle.members.clone(),
            workers: lifecycle.workers.clone(),
            trials: lifecycle.trials.clone(),
            lifecycle: lifecycle.clone(),
            odd_looks: AtomicU32::new(0),
        })
    }

    /// A hint that workers wait. As many brokers as there are workers claim at once, and a few more soon; the others find at
    /// their next look what is still there then.
    pub fn hear_of_waiting(self: &Arc<Self>, cluster: &ClusterName, class: ClassName, waiting: u64, worker: &WorkerId) {
        if *cluster != self.context.cluster || !self.members.hosts(&class) {
            return;
        }
        let rank = self.members.claim_rank(&class, worker) as u64;
        if rank < waiting {
            self.members.claim(class);
        } else if rank < waiting + SUBSTITUTES {
            let recovery = self.clone();
            self.context.spawn("substitute", async move {
                tokio::time::sleep(SUBSTITUTE_DELAY).await;
                recovery.members.claim(class);
            });
        }
    }

    /// Claims whenever hinted or seen, as long as the life goes on.
    pub async fn keep_claiming(self: Arc<Self>) {
        loop {
            self.members.waiting().added().await;
            let mut classes = BTreeSet::new();
            let mut overflow = 0;
            while self.context.takes_workers() && self.lease.holds() {
                // One class may go on waiting for a place or a trial: others that are hinted meanwhile do not wait for it.
                self.members.waiting().take_into(&mut classes);
                if classes.is_empty() {
                    break;
                }
                let full = self.classes_without_place();
                let open: BTreeSet<ClassName> = classes.difference(&full).cloned().collect();
                if open.is_empty() {
                    tokio::time::sleep(BUSY).await;
                    continue;
                }
                let Some((claimed, remaining)) = self.claim_some(&open, overflow).await else { break };
                if remaining == 0 {
                    if full.is_disjoint(&classes) {
                        break;
                    }
                    tokio::time::sleep(BUSY).await;
                    continue;
                }
                overflow = 0;
                if claimed > 0 && claimed < BATCH {
                    // It has its share of what waits so far. An eviction that goes on brings more, piece by piece: it claims of
                    // several pieces together.
                    tokio::time::sleep(SPACING).await;
                } else if claimed == 0 {
                    // It has its share. Where the others do not come to theirs, a part of it.
                    // The next suspect may be taken sooner.
                    let _ = tokio::time::timeout(PATIENCE, self.trials.ended()).await;
                    overflow = OVERFLOW_CLAIM_DIVISOR;
                }
            }
            tokio::time::sleep(SPACING).await;
        }
    }

    /// Classes of which as many activations as may be run here. Each has places of its own, so that a slow class holds up
    /// no other.
    fn classes_without_place(&self) -> BTreeSet<ClassName> {
        let now = boot_millis();
        let mut running: HashMap<ClassName, usize> = HashMap::new();
        for (_, resident) in lock(&self.workers.residents).iter() {
            if resident.state == State::Activating && now.saturating_sub(resident.since) < SLOW_ACTIVATION {
                *running.entry(resident.class.clone()).or_default() += 1;
            }
        }
        running.into_iter().filter(|(_, count)| *count >= MAX_ACTIVATING).map(|(class, _)| class).collect()
    }

    /// How many were claimed, and how many are left; `None` when it could not be told.
    async fn claim_some(self: &Arc<Self>, classes: &BTreeSet<ClassName>, overflow: u64) -> Option<(usize, u64)> {
        let request = ClaimRequest {
            by: self.context.incarnation.clone(),
            cluster: self.context.cluster.clone(),
            classes: classes.clone(),
            limit: BATCH,
            overflow,
            ttl: Duration::from_millis(self.context.config.ttl),
            trial_over: self.trials.are_over(),
        };
        let turn = self.workers.registrar.turn.read().await;
        match self.context.coordinator.claim(&request).await {
            Ok(Claim::Claimed { entries, remaining, expired }) => {
                let count = entries.len();
                if count > 0 || expired > 0 {
                    self.context.log(Level::Info, format!("Recovering {count} workers; {expired} were too old."));
                }
                entries.into_iter().for_each(|entry| self.lifecycle.move_in(entry, Vec::new()));
                Some((count, remaining))
            }
            Ok(Claim::NotMember) => None,
            Ok(Claim::Unsettled) => {
                drop(turn);
                self.members.check_server();
                self.members.changes.wait_to_settle(PAUSE).await;
                self.members.claim_everything();
                None
            }
            Err(error) => {
                // It may have been applied: then the audit finds what stands here without living here.
                drop(turn);
                self.context.log(Level::Warn, format!("Workers could not be claimed yet: {error}"));
                self.workers.audit();
                tokio::time::sleep(PAUSE).await;
                self.members.claim_everything();
                None
            }
        }
    }
}
