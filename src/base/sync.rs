//! Locks and atomics of what is shared between threads: the standard library's, or those of the model checker.
//!
//! With the feature `models` (tests only) [shuttle](https://docs.rs/shuttle) decides which thread goes on at each of them, so that a
//! test sees thousands of interleavings. Only modules with a model in `tests/models.rs` take them from here.

#[cfg(not(feature = "models"))]
mod chosen {
    pub use std::sync::atomic;
    pub use std::sync::{Mutex, MutexGuard};
}

#[cfg(feature = "models")]
mod chosen {
    pub use shuttle::sync::atomic;
    pub use shuttle::sync::{Mutex, MutexGuard};
}

pub use chosen::{atomic, Mutex, MutexGuard};

use std::sync::PoisonError;

/// Locks, also after a panic elsewhere: what is behind these locks is sound between any two statements.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
