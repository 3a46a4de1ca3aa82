//! Where the state of a cluster lives.

use crate::config::RedisConfig;
use crate::coordination::memory::MemoryStore;
use crate::coordination::Coordinator;
use crate::transport::MemoryHub;
use std::sync::Arc;

/// Where the cluster's state lives, and with it how brokers reach each other.
#[derive(Clone)]
pub enum Home {
    /// In Redis or Valkey; brokers reach each other over sockets.
    Redis(Box<RedisConfig>),
    /// The whole system in this process.
    Memory { store: MemoryStore, hub: MemoryHub },
    /// The same on any coordinator, e.g. one that counts what it is asked.
    Embedded { coordinator: NewCoordinator, hub: MemoryHub },
}

/// Makes the coordinator of one life.
pub type NewCoordinator = Arc<dyn Fn() -> Arc<dyn Coordinator> + Send + Sync>;
