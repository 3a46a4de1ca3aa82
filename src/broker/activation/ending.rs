//! `agent.destroy()`: the end of a worker that is asked for from outside.

use crate::broker::activation::reservation::Creations;
use crate::broker::directory::routes::Maker;
use crate::broker::js::event::Event;
use crate::clock::boot_millis;
use crate::coordination::{Erasure, Owner, PlaceRequest};
use crate::error::{Code, Failure};
use crate::ids::{Epoch, WorkerId};
use crate::wire::call_chain::Chain;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// Between two looks whether messages still wait for a route to the worker.
const LOOK: Duration = Duration::from_millis(2);

impl Creations {
    /// Whether messages of this broker wait for a route to the worker.
    fn has_parked(&self, id: &WorkerId) -> bool {
        self.routes.lanes().get_mut(id.as_str()).is_some_and(|lane| !lane.queue.is_empty())
    }

    /// Deletes a worker that has no owner, without making it. Answers under `slot` with `null`, or with `{"epoch"}` of one that has an
    /// owner: that has to end it. `epoch`: nothing is deleted where the worker has another one meanwhile.
    pub fn erase(self: &Arc<Self>, slot: u64, id: WorkerId, epoch: Option<Epoch>) {
        let creations = self.clone();
        self.context.operate("erase", slot, async move {
            let give_up = boot_millis() + creations.context.config.retries.duration;
            let mut backoff = creations.context.backoff();
            loop {
                if creations.has_parked(&id) && boot_millis() < give_up {
                    // Messages that were sent before may still make it.
                    tokio::time::sleep(LOOK).await;
                    continue;
                }
                let failure = match creations.context.coordinator.erase(&id, epoch).await {
                    Ok(Erasure::Gone) => return Event::done_json(slot, "null".into()),
                    Ok(Erasure::Owned(epoch)) => {
                        return Event::done_json(slot, json!({ "epoch": epoch.to_string() }).to_string())
                    }
                    Ok(Erasure::Unsettled) => creations.members.unsettled(),
                    Err(error) => Failure::new(Code::Redis, error.to_string()),
                };
                if boot_millis() >= give_up || creations.context.is_leaving() {
                    return Event::failed(slot, failure);
                }
                creations.members.changes.wait_to_settle(backoff.next_wait()).await;
            }
        });
    }
}

#[async_trait::async_trait]
impl Maker for Creations {
    async fn activate(self: Arc<Self>, request: PlaceRequest, chain: Chain) -> Result<(Owner, Epoch), Failure> {
        let created = self.create_worker(request, self.context.config.rpc_timeout, chain).await?;
        Ok((created.owner, created.epoch))
    }
}
