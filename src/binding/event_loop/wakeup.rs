//! One call into JavaScript for all that the sockets of one turn brought a broker.

use super::uv::HandlePointer;
use super::{LAST_ID, LOOP};
use napi::bindgen_prelude::{Function, JsValue};
use napi::sys;
use std::cell::{Cell, RefCell};
use std::ptr;
use std::sync::atomic::Ordering;

thread_local! {
    /// The loop whose sessions run on this thread right now; 0: none.
    static TURN: Cell<u64> = const { Cell::new(0) };
    /// Who is to be woken at the end of the turn.
    static RUNG: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// A way to wake JavaScript from within a turn of the loop.
#[derive(Clone, Copy)]
pub struct Wakeup {
    event_loop: u64,
    id: u64,
}

impl Wakeup {
    /// `None` before [`sockets`] was called.
    pub fn new(function: &Function<'_, (), ()>) -> Option<Self> {
        let function = function.raw();
        LOOP.with_borrow_mut(|event_loop| {
            let event_loop = event_loop.as_mut()?;
            let mut reference = ptr::null_mut();
            // SAFETY: called on the environment's thread with a value of the running call.
            let status = unsafe { sys::napi_create_reference(event_loop.env, function, 1, &mut reference) };
            let id = LAST_ID.fetch_add(1, Ordering::Relaxed) + 1;
            (status == sys::Status::napi_ok).then(|| {
                event_loop.wakes.insert(id, reference);
                Self { event_loop: event_loop.id, id }
            })
        })
    }

    /// JavaScript comes at the end of this turn. False: there is no turn of its loop on this thread.
    pub fn ring(self) -> bool {
        let in_turn = TURN.get() == self.event_loop;
        if in_turn {
            RUNG.with_borrow_mut(|rung| {
                if !rung.contains(&self.id) {
                    rung.push(self.id);
                }
            });
        }
        in_turn
    }

    /// On the environment's thread: JavaScript does not want to know any more.
    pub fn forget(self) {
        // The thread may be ending.
        let _ = LOOP.try_with(|event_loop| {
            if let Some(event_loop) = event_loop.borrow_mut().as_mut() {
                if let Some(reference) = event_loop.wakes.remove(&self.id) {
                    // SAFETY: made in this environment, and deleted once.
                    unsafe { sys::napi_delete_reference(event_loop.env, reference) };
                }
            }
        });
    }
}

/// While a session runs: wakes wait for the end of the turn.
pub struct InTurn;

impl InTurn {
    pub fn begin(event_loop: u64) -> Self {
        TURN.set(event_loop);
        Self
    }
}

impl Drop for InTurn {
    fn drop(&mut self) {
        TURN.set(0);
    }
}

/// Every ready socket of this turn was looked at: one call into JavaScript for each broker that got something.
pub unsafe extern "C" fn on_turn_end(_handle: HandlePointer) {
    if RUNG.with_borrow(Vec::is_empty) {
        return;
    }
    let mut rung = RUNG.take();
    for id in &rung {
        let known = LOOP.with_borrow(|event_loop| {
            let event_loop = event_loop.as_ref().filter(|event_loop| event_loop.ending.is_none())?;
            event_loop.wakes.get(id).map(|wake| (event_loop.env, *wake))
        });
        if let Some((env, wake)) = known {
            // SAFETY: on the environment's thread, outside of JavaScript; the reference is alive.
            unsafe { call(env, wake) };
        }
    }
    // Its memory serves the next turn.
    rung.clear();
    RUNG.set(rung);
}

/// Calls a function of JavaScript as the event loop does: microtasks run after it.
unsafe fn call(env: sys::napi_env, function: sys::napi_ref) {
    let mut scope = ptr::null_mut();
    let (mut callee, mut global, mut result) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
    // SAFETY: as the caller promises. A step that fails leaves nothing for the next one; without a scope none is run.
    unsafe {
        if sys::napi_open_handle_scope(env, &mut scope) != sys::Status::napi_ok {
            return;
        }
        if sys::napi_get_reference_value(env, function, &mut callee) == sys::Status::napi_ok
            && sys::napi_get_global(env, &mut global) == sys::Status::napi_ok
        {
            let status = sys::napi_make_callback(env, ptr::null_mut(), global, callee, 0, ptr::null(), &mut result);
            let mut error = ptr::null_mut();
            if status == sys::Status::napi_pending_exception
                && sys::napi_get_and_clear_last_exception(env, &mut error) == sys::Status::napi_ok
            {
                // An environment that is being terminated comes here, too, and takes no notice.
                sys::napi_fatal_exception(env, error);
            }
        }
        sys::napi_close_handle_scope(env, scope);
    }
}
