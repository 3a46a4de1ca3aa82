//! What belongs to one JavaScript environment: its embedded coordinators, and its brokers, which end with it.

use crate::broker::core::Core;
use crate::broker::home::Home;
use crate::coordination::memory::MemoryStore;
use crate::transport::MemoryHub;
use napi::Env;
use napi_derive::napi;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// How long an environment that ends waits until its leases are released: beyond, they run out by themselves.
const FAREWELL: Duration = Duration::from_millis(150);

#[derive(Default)]
struct Environment {
    memories: HashMap<String, (MemoryStore, MemoryHub)>,
    brokers: Vec<Weak<Core>>,
    hooked: bool,
}

thread_local! {
    /// An environment never leaves its thread.
    static ENVIRONMENT: RefCell<Environment> = RefCell::default();
}

/// The embedded coordinator of this environment with this name, made when it is first named.
pub(crate) fn memory(name: &str) -> Home {
    ENVIRONMENT.with_borrow_mut(|environment| {
        let (store, hub) =
            environment.memories.entry(name.into()).or_insert_with(|| (MemoryStore::default(), MemoryHub::default()));
        Home::Memory { store: store.clone(), hub: hub.clone() }
    })
}

/// Lets a broker end when the environment does.
pub(crate) fn adopt(env: &Env, core: &Arc<Core>) -> napi::Result<()> {
    let first = ENVIRONMENT.with_borrow_mut(|environment| {
        environment.brokers.retain(|broker| broker.strong_count() > 0);
        environment.brokers.push(Arc::downgrade(core));
        !std::mem::replace(&mut environment.hooked, true)
    });
    if first {
        env.add_env_cleanup_hook((), |()| end(false))?;
    }
    Ok(())
}

/// Called when nothing of JavaScript runs any more and the process may end next. `crashed`: because of an error.
#[napi(catch_unwind)]
pub(crate) fn end_environment(crashed: bool) {
    end(crashed);
}

/// Every broker of this environment leaves, now.
fn end(crashed: bool) {
    let brokers = ENVIRONMENT.with_borrow_mut(|environment| std::mem::take(&mut environment.brokers));
    let leaving: Vec<_> = brokers.iter().filter_map(Weak::upgrade).map(|core| core.dispose(crashed)).collect();
    let until = Instant::now() + FAREWELL;
    for gone in leaving {
        // Late, or it had left before: nothing to wait for.
        let _ = gone.recv_timeout(until.saturating_duration_since(Instant::now()));
    }
}
