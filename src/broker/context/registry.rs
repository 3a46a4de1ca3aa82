//! One life's handles to the coordinator: one for all it does, and one that the lease's thread has for itself.

use crate::broker::context::lease_thread;
use crate::config::RedisConfig;
use crate::coordination::memory::{MemoryCoordinator, MemoryStore};
use crate::coordination::redis::RedisCoordinator;
use crate::coordination::{CoordinationResult, Coordinator};
use crate::ids::Incarnation;
use std::sync::Arc;
use tokio::runtime::Handle;

/// The two handles to the coordinator. Embedded, both are the same.
#[derive(Clone)]
pub struct Registry {
    pub coordinator: Arc<dyn Coordinator>,
    /// Renews: its connections live on the lease's thread.
    pub lease: Arc<dyn Coordinator>,
}

impl Registry {
    pub fn on_redis(config: &RedisConfig, namespace: &str, runtime: &Handle) -> Self {
        Self {
            coordinator: Arc::new(RedisCoordinator::new(config, namespace, runtime.clone())),
            lease: Arc::new(RedisCoordinator::for_lease(config, namespace, lease_thread::handle())),
        }
    }

    pub fn in_memory(store: &MemoryStore) -> Self {
        Self::embedded(Arc::new(MemoryCoordinator::new(store.clone())))
    }

    pub fn embedded(coordinator: Arc<dyn Coordinator>) -> Self {
        Self { lease: coordinator.clone(), coordinator }
    }

    fn is_one(&self) -> bool {
        Arc::ptr_eq(&self.coordinator, &self.lease)
    }

    pub async fn open(&self) -> CoordinationResult<()> {
        self.coordinator.open().await?;
        if self.is_one() {
            return Ok(());
        }
        self.lease.open().await
    }

    /// From here on both say that this incarnation lives.
    pub async fn listen_as(&self, incarnation: &Incarnation) -> CoordinationResult<()> {
        self.coordinator.listen_as(Some(incarnation)).await?;
        if self.is_one() {
            return Ok(());
        }
        self.lease.listen_as(Some(incarnation)).await
    }

    pub async fn close(&self) {
        tokio::join!(self.coordinator.close(), self.lease.close());
    }
}
