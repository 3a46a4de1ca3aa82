//! The tasks of one life of a broker: started here, told to end together, waited for.

use crate::lock::lock;
use std::future::Future;
use std::sync::{Arc, Mutex};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Called with a text when a task panics: the life cannot go on.
pub(crate) type OnPanic = Arc<dyn Fn(String) + Send + Sync>;

/// The running tasks of one incarnation.
pub struct Tasks {
    runtime: Handle,
    running: Mutex<JoinSet<()>>,
    ended: watch::Sender<bool>,
    on_panic: OnPanic,
}

/// Reports when the task that owns it unwinds.
struct PanicGuard {
    name: &'static str,
    on_panic: OnPanic,
}

impl Drop for PanicGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            (self.on_panic)(format!("the task \"{}\" panicked", self.name));
        }
    }
}

impl Tasks {
    pub fn new(runtime: Handle, on_panic: OnPanic) -> Self {
        Self { runtime, running: Mutex::new(JoinSet::new()), ended: watch::Sender::new(false), on_panic }
    }

    /// Runs until it is done or [`Tasks::end`] is called, whichever is first. Every await in it is a place where it
    /// may end.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.spawn_on(name, &self.runtime, task);
    }

    /// The same, on another runtime.
    pub fn spawn_on(&self, name: &'static str, runtime: &Handle, task: impl Future<Output = ()> + Send + 'static) {
        let mut ended = self.ended.subscribe();
        let guard = PanicGuard { name, on_panic: self.on_panic.clone() };
        let mut running = lock(&self.running);
        while running.try_join_next().is_some() {}
        running.spawn_on(
            async move {
                let _guard = guard;
                tokio::select! {
                    biased;
                    _ = ended.wait_for(|ended| *ended) => {}
                    () = task => {}
                }
            },
            runtime,
        );
    }

    /// Waits until [`Tasks::end`] was called.
    pub async fn ended(&self) {
        let mut ended = self.ended.subscribe();
        let _ = ended.wait_for(|ended| *ended).await;
    }

    /// Tells every task to end.
    pub fn end(&self) {
        self.ended.send_replace(true);
    }

    /// Waits until every task has ended. Not from within one of them.
    pub async fn join(&self) {
        let mut running = std::mem::take(&mut *lock(&self.running));
        while running.join_next().await.is_some() {}
    }

    pub fn runtime(&self) -> &Handle {
        &self.runtime
    }
}
