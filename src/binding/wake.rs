//! The one way from the core's threads into JavaScript: "look into your inbox".

use napi::bindgen_prelude::Function;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::Status;

/// Weak: it never keeps the process alive.
type Wake = ThreadsafeFunction<(), (), (), Status, false, true>;

/// Calls `wake` on its JavaScript thread, soon; may be called from any thread, also after the environment ended.
pub fn waker(wake: &Function<'_, (), ()>) -> napi::Result<Box<dyn Fn() + Send + Sync>> {
    let wake: Wake = wake.build_threadsafe_function().callee_handled::<false>().weak::<true>().build()?;
    Ok(Box::new(move || {
        // An environment that has ended does not look any more.
        let _ = wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
    }))
}
