//! The ways from the core into JavaScript: "look into your inbox".

use super::event_loop::Wakeup;
use napi::bindgen_prelude::Function;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::Status;
use std::sync::{Arc, PoisonError, RwLock};

/// It never keeps the process alive. It does keep what its JavaScript function refers to from being collected.
type Wake = ThreadsafeFunction<(), (), (), Status, false, true>;

/// Calls a function of JavaScript on its own thread, until it is closed. Clones share one function.
///
/// The function refers to the broker (or router), and the broker's native side owns a waker. The garbage collector cannot
/// see through this circle, so whoever ends the broker has to [`close`](Waker::close) the waker.
#[derive(Clone)]
pub(crate) struct Waker {
    function: Arc<RwLock<Option<Wake>>>,
    /// The shorter way, where the caller is on JavaScript's thread within a turn of the event loop.
    wakeup: Option<Wakeup>,
}

impl Waker {
    pub(crate) fn new(function: &Function<'_, (), ()>, wakeup: Option<Wakeup>) -> napi::Result<Self> {
        let function: Wake = function.build_threadsafe_function().callee_handled::<false>().weak::<true>().build()?;
        Ok(Self { function: Arc::new(RwLock::new(Some(function))), wakeup })
    }

    /// Makes JavaScript look soon. May be called from any thread, also after the waker was closed and after the environment
    /// ended: then nothing happens.
    pub(crate) fn wake(&self) {
        if self.wakeup.is_some_and(Wakeup::ring) {
            return;
        }
        let function = self.function.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(function) = function.as_ref() {
            // An environment that has ended refuses the call.
            let _ = function.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }

    /// On the environment's thread: JavaScript is not called any more, and can collect the function.
    pub(crate) fn close(&self) {
        self.wakeup.into_iter().for_each(Wakeup::forget);
        let function = self.function.write().unwrap_or_else(PoisonError::into_inner).take();
        drop(function);
    }
}
