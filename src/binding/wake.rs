//! The ways from the core into JavaScript: "look into your inbox".

use super::event_loop::Wakeup;
use napi::bindgen_prelude::Function;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::Status;

/// Weak: it never keeps the process alive.
type Wake = ThreadsafeFunction<(), (), (), Status, false, true>;

/// Calls `wake` on its JavaScript thread, soon; may be called from any thread, also after the environment ended.
/// `wakeup`: the shorter way, from that very thread.
pub fn waker(wake: &Function<'_, (), ()>, wakeup: Option<Wakeup>) -> napi::Result<Box<dyn Fn() + Send + Sync>> {
    let wake: Wake = wake.build_threadsafe_function().callee_handled::<false>().weak::<true>().build()?;
    Ok(Box::new(move || {
        if !wakeup.is_some_and(Wakeup::ring) {
            // An environment that has ended does not look any more.
            let _ = wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }))
}
