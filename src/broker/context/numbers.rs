//! Numbers that all lives of one broker share, so that none means one thing to JavaScript and another to the core.

use crate::broker::context::recipes::Recipes;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::Arc;

/// The core's own calls are numbered from here; JavaScript counts its own from 1 and never gets this far.
const FIRST_INTERNAL_CALL: u64 = 1 << 52;

/// Counters that all incarnations of one broker share. Clones count together.
#[derive(Clone)]
pub struct Numbers {
    /// The last worker instance.
    handles: Arc<AtomicU32>,
    /// The last ask that JavaScript was given.
    inbound: Arc<AtomicU64>,
    recipes: Arc<Recipes>,
    calls: Arc<AtomicU64>,
}

impl Numbers {
    /// The counter of worker instances.
    pub fn handles(&self) -> Arc<AtomicU32> {
        self.handles.clone()
    }

    /// The counter of asks that JavaScript was given.
    pub fn inbound(&self) -> Arc<AtomicU64> {
        self.inbound.clone()
    }

    /// What workers are made from by their first message.
    pub fn recipes(&self) -> &Recipes {
        &self.recipes
    }

    /// A number for a call that the core itself makes.
    pub fn next_call(&self) -> u64 {
        self.calls.fetch_add(1, Ordering::Relaxed)
    }
}

impl Default for Numbers {
    fn default() -> Self {
        Self {
            handles: Arc::default(),
            inbound: Arc::default(),
            recipes: Arc::default(),
            calls: Arc::new(AtomicU64::new(FIRST_INTERNAL_CALL)),
        }
    }
}
