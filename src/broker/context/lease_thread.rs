//! The thread on which every lease of this process is renewed: one for all brokers, with a runtime of its own.
//!
//! Nothing else runs on it, so neither JavaScript nor the threads of sockets and decisions can keep a renewal waiting.
//! Started with the first lease, never joined: what it does ends with each broker's life.

use once_cell::sync::Lazy;
use std::thread;
use tokio::runtime::{Builder, Handle};

static RUNTIME: Lazy<Handle> = Lazy::new(|| {
    let runtime =
        Builder::new_current_thread().enable_all().build().expect("the operating system has a descriptor left");
    let handle = runtime.handle().clone();
    thread::Builder::new()
        .name("dworker-lease".into())
        .spawn(move || runtime.block_on(std::future::pending::<()>()))
        .expect("the operating system can start a thread");
    handle
});

pub(crate) fn handle() -> Handle {
    // Only the time of the calling thread is simulated.
    #[cfg(debug_assertions)]
    if crate::clock::simulated::is_on() {
        return Handle::current();
    }
    RUNTIME.clone()
}
