//! The threads on which every broker of this process runs: started with the first, never joined.

use once_cell::sync::Lazy;
use tokio::runtime::{Builder, EnterGuard, Handle, Runtime};

/// Sockets, Redis and decisions are short and never block; JavaScript's thread needs the other cores.
const THREADS: usize = 2;

static RUNTIME: Lazy<Runtime> = Lazy::new(|| {
    Builder::new_multi_thread()
        .worker_threads(THREADS)
        .thread_name("dworker")
        .enable_all()
        .build()
        .expect("the operating system can start a thread")
});

pub(crate) fn handle() -> Handle {
    RUNTIME.handle().clone()
}

/// For code of the core that runs on another thread.
pub(crate) fn enter() -> EnterGuard<'static> {
    RUNTIME.enter()
}
