//! What belongs to one JavaScript environment: its embedded coordinators, and its brokers, which end with it.

use crate::broker::core::Core;
use crate::broker::joining::Home;
use crate::coordination::memory::MemoryStore;
use crate::transport::MemoryHub;
use napi::Env;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Weak};

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
pub fn memory(name: &str) -> Home {
    ENVIRONMENT.with_borrow_mut(|environment| {
        let (store, hub) =
            environment.memories.entry(name.into()).or_insert_with(|| (MemoryStore::default(), MemoryHub::default()));
        Home::Memory { store: store.clone(), hub: hub.clone() }
    })
}

/// Lets a broker end when the environment does.
pub fn adopt(env: &Env, core: &Arc<Core>) -> napi::Result<()> {
    let first = ENVIRONMENT.with_borrow_mut(|environment| {
        environment.brokers.retain(|broker| broker.strong_count() > 0);
        environment.brokers.push(Arc::downgrade(core));
        !std::mem::replace(&mut environment.hooked, true)
    });
    if first {
        env.add_env_cleanup_hook((), |()| {
            let brokers = ENVIRONMENT.with_borrow_mut(|environment| std::mem::take(environment).brokers);
            brokers.iter().filter_map(Weak::upgrade).for_each(|core| core.dispose());
        })?;
    }
    Ok(())
}
