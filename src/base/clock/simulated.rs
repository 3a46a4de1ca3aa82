//! A clock that follows the paused time of a Tokio runtime, so that a simulation decides when time passes.
//!
//! It belongs to one thread: a simulation runs on a current-thread runtime. Builds without debug assertions are without it.

use std::cell::Cell;
use tokio::time::Instant;

/// What the clock shows when it starts, ms: a machine that is up for a while.
const FIRST: u64 = 1_000_000;

thread_local! {
    static START: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// From now on this thread's clock follows the runtime that it is called on.
pub fn start() {
    START.set(Some(Instant::now()));
}

/// Whether this thread's clock is simulated.
pub fn is_on() -> bool {
    START.get().is_some()
}

/// What the clock shows; `None`: it is not simulated.
pub fn millis() -> Option<u64> {
    START.get().map(|start| FIRST + start.elapsed().as_millis() as u64)
}
