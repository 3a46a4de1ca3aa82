//! Workers that are to be made again: claims this broker's share, and finds what was lost between registry and here.

use crate::broker::event::Level;
use crate::broker::inbox::lock;
use crate::broker::life::Life;
use crate::broker::residents::State;
use crate::coordination::{Claim, ClaimRequest, CHUNK};
use crate::ids::{Epoch, WorkerId};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Workers that one claim takes at most: small, so that brokers that claim at once share evenly.
const BATCH: usize = 50;
/// Workers that are being made here at most while more are claimed: `onCreate` may be slow.
const MAX_ACTIVATING: usize = 500;
/// While too many are being made.
const BUSY: Duration = Duration::from_millis(20);
/// Between two tries while the coordinator does not answer, and before an audit: answers under way arrive first.
const PAUSE: Duration = Duration::from_millis(500);

impl Life {
    /// Claims whenever hinted or seen, as long as the life goes on.
    pub async fn keep_claiming(self: Arc<Self>) {
        loop {
            self.claim.notified().await;
            while !self.is_leaving() && self.lease.holds() {
                if self.activating() >= MAX_ACTIVATING {
                    tokio::time::sleep(BUSY).await;
                    continue;
                }
                match self.claim_some().await {
                    Some(remaining) if remaining > 0 => {}
                    _ => break,
                }
            }
        }
    }

    fn activating(&self) -> usize {
        lock(&self.residents).iter().filter(|(_, resident)| resident.state == State::Activating).count()
    }

    /// How many are left to claim; `None` when it could not be told.
    async fn claim_some(self: &Arc<Self>) -> Option<u64> {
        let request = ClaimRequest {
            by: self.incarnation.clone(),
            cluster: self.cluster.clone(),
            classes: lock(&self.hosted).clone(),
            limit: BATCH,
            ttl: Duration::from_millis(self.config.ttl),
        };
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
            Err(error) => {
                // It may have been applied: then the audit finds what stands here without living here.
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

    async fn read_own(&self) -> crate::coordination::CoordinationResult<HashMap<WorkerId, Epoch>> {
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
