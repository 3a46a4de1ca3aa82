//! Finds what the registry gives to this broker and what does not live here.

use crate::broker::activation::claims::{Recovery, PAUSE};
use crate::ids::{Epoch, WorkerId};
use crate::level::Level;
use crate::lock::lock;
use std::sync::atomic::Ordering;
use std::sync::Arc;

/// Looks in a row at which the registry counts another load here than this broker before the two are compared: reports
/// are under way for a moment.
const ODD_LOOKS: u32 = 3;

impl Recovery {
    /// Compares the load that the registry counts here with that of the workers that live here: a difference that stays
    /// is something that got lost.
    pub fn compare_load(&self, counted: u64) {
        let odd = if counted == self.workers.load() { 0 } else { self.odd_looks.load(Ordering::Relaxed) + 1 };
        self.odd_looks.store(odd % ODD_LOOKS, Ordering::Relaxed);
        if odd >= ODD_LOOKS {
            self.workers.audit();
        }
    }

    /// Takes up what stands under this incarnation and does not live here, e.g. because an answer was lost. A reservation is
    /// withdrawn instead: its creator is gone, or asks for it again.
    pub async fn keep_audit(self: Arc<Self>) {
        loop {
            self.workers.audit_wanted().await;
            tokio::time::sleep(PAUSE).await;
            if self.context.is_leaving() {
                return;
            }
            match self.workers.read_own().await {
                Ok(own) => {
                    let missing: Vec<(WorkerId, Epoch)> = {
                        let residents = lock(&self.workers.residents);
                        own.into_iter().filter(|(id, _)| residents.handle(id.as_str()).is_none()).collect()
                    };
                    for (id, epoch) in missing {
                        self.resolve_missing(id, epoch).await;
                    }
                }
                Err(error) => {
                    self.context.log(Level::Debug, format!("The audit could not be made yet: {error}"));
                    self.workers.audit();
                }
            }
        }
    }

    /// The registry gives this worker to this broker, which does not run it.
    async fn resolve_missing(&self, id: WorkerId, epoch: Epoch) {
        match self.context.coordinator.withdraw(&self.context.incarnation, &id, epoch).await {
            Ok(true) => {
                self.context
                    .log(Level::Info, format!("Nobody requested the reserved worker \"{id}\": it is not created."));
            }
            Ok(false) => {
                let text = format!("Worker \"{id}\" is registered to this broker but not running; recreating it.");
                self.context.log(Level::Warn, text);
                self.workers.registrar.take_up(id, None);
            }
            Err(error) => {
                self.context.log(Level::Debug, format!("The worker \"{id}\" could not be looked after yet: {error}"));
                self.workers.audit();
            }
        }
    }
}
