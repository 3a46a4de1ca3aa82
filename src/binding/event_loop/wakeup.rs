//! One call into JavaScript for all that the sockets of one turn brought a broker: with what came, if JavaScript has
//! nothing else to do, and what it leaves to send is written when it returns: two calls into the core fewer a turn.

use super::uv::HandlePointer;
use super::{LAST_ID, LOOP};
use crate::binding::batch_cursor::Station;
use crate::binding::strings;
use napi::bindgen_prelude::{Function, JsValue};
use napi::{sys, Env};
use std::cell::{Cell, RefCell};
use std::ptr;
use std::rc::Rc;
use std::sync::atomic::Ordering;

/// Calls of one turn for what handlers gave each other in this process; the rest waits for the loop's next turn.
const ROUNDS: usize = 4;

thread_local! {
    /// The loop whose sessions run on this thread right now; 0: none.
    static TURN: Cell<u64> = const { Cell::new(0) };
    /// Who is to be woken at the end of the turn.
    static RUNG: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// A function of JavaScript that takes what a broker got.
pub(crate) struct Listener {
    function: sys::napi_ref,
    /// Whose events the call brings; `None`: JavaScript looks for them itself.
    station: Option<Rc<Station>>,
}

/// A way to wake JavaScript from within a turn of the loop.
#[derive(Clone, Copy)]
pub(crate) struct Wakeup {
    event_loop: u64,
    id: u64,
}

impl Wakeup {
    /// `None` before [`sockets`] was called.
    pub(crate) fn new(function: &Function<'_, (), ()>) -> Option<Self> {
        let function = function.raw();
        LOOP.with_borrow_mut(|event_loop| {
            let event_loop = event_loop.as_mut()?;
            let mut reference = ptr::null_mut();
            // SAFETY: called on the environment's thread with a value of the running call.
            let status = unsafe { sys::napi_create_reference(event_loop.env, function, 1, &mut reference) };
            let id = LAST_ID.fetch_add(1, Ordering::Relaxed) + 1;
            (status == sys::Status::napi_ok).then(|| {
                event_loop.wakes.insert(id, Listener { function: reference, station: None });
                Self { event_loop: event_loop.id, id }
            })
        })
    }

    /// On the environment's thread: the call brings the events of this broker.
    pub(crate) fn bring(self, station: &Rc<Station>) {
        LOOP.with_borrow_mut(|event_loop| {
            let listener = event_loop.as_mut().and_then(|event_loop| event_loop.wakes.get_mut(&self.id));
            if let Some(listener) = listener {
                listener.station = Some(station.clone());
            }
        });
    }

    /// JavaScript comes at the end of this turn. False: there is no turn of its loop on this thread.
    pub(crate) fn ring(self) -> bool {
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
    pub(crate) fn forget(self) {
        // The thread may be ending.
        let forgotten = LOOP.try_with(|event_loop| {
            let mut event_loop = event_loop.borrow_mut();
            let event_loop = event_loop.as_mut()?;
            let listener = event_loop.wakes.remove(&self.id)?;
            // SAFETY: made in this environment, and deleted once.
            unsafe { sys::napi_delete_reference(event_loop.env, listener.function) };
            Some(listener)
        });
        // Dropping runs code of the broker, too.
        drop(forgotten);
    }
}

/// While a session runs: wakes wait for the end of the turn.
pub(crate) struct InTurn;

impl InTurn {
    pub(crate) fn begin(event_loop: u64) -> Self {
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
pub(crate) unsafe extern "C" fn on_turn_end(_handle: HandlePointer) {
    if RUNG.with_borrow(Vec::is_empty) {
        return;
    }
    let mut rung = RUNG.take();
    for id in &rung {
        // SAFETY: on the environment's thread, outside of JavaScript.
        unsafe { serve(*id) };
    }
    // Its memory serves the next turn.
    rung.clear();
    RUNG.set(rung);
}

fn listener(id: u64) -> Option<(sys::napi_env, sys::napi_ref, Option<Rc<Station>>)> {
    LOOP.with_borrow(|event_loop| {
        let event_loop = event_loop.as_ref().filter(|event_loop| event_loop.ending.is_none())?;
        let listener = event_loop.wakes.get(&id)?;
        Some((event_loop.env, listener.function, listener.station.clone()))
    })
}

/// Hands over what a broker got. Looks again where handlers have sent to workers of the same process, but not without
/// end: other sockets and timers have their turn, too.
unsafe fn serve(id: u64) {
    for rounds_left in (0..ROUNDS).rev() {
        // Each time anew: what ran may have ended it.
        let Some((env, function, station)) = listener(id) else { return };
        let mut scope = ptr::null_mut();
        // SAFETY: as the caller promises, the reference is alive; the scope is closed once. Without one nothing is run.
        let more = unsafe {
            if sys::napi_open_handle_scope(env, &mut scope) != sys::Status::napi_ok {
                return;
            }
            let more = round(env, function, station.as_deref());
            sys::napi_close_handle_scope(env, scope);
            more
        };
        if !more {
            return;
        }
        if rounds_left == 0 {
            station.into_iter().for_each(|station| station.core.inbox.nudge());
        }
    }
}

/// Hands over one batch and writes what JavaScript made of it. `true`: there is more.
unsafe fn round(env: sys::napi_env, function: sys::napi_ref, station: Option<&Station>) -> bool {
    let Some(station) = station else {
        // SAFETY: as the caller promises.
        unsafe { call(env, function, None) };
        return false;
    };
    let ready = station.ready();
    let mut batch = None;
    if ready > 0 {
        match station.drain(ready, |batch| strings::to_js(&Env::from_raw(env), batch).map(|text| text.raw())) {
            Some(Ok(text)) => batch = Some(text),
            Some(Err(_)) => return false,
            None => {
                station.set_ready(ready);
                return false;
            }
        }
    }
    // SAFETY: as the caller promises.
    let Some(ready) = (unsafe { call(env, function, batch) }) else {
        // It may have left the batch in the middle.
        station.core.inbox.nudge();
        station.flush();
        return false;
    };
    station.set_ready(ready as usize);
    // Where JavaScript is not ready, it comes by itself.
    station.flush() && ready > 0
}

/// Calls a function of JavaScript as the event loop does: microtasks run after it. The number that it returns; `None`
/// where it fails.
unsafe fn call(env: sys::napi_env, function: sys::napi_ref, argument: Option<sys::napi_value>) -> Option<u32> {
    let (mut callee, mut global, mut result) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
    let mut number = 0;
    // SAFETY: as the caller promises. A step that fails leaves nothing for the next one.
    unsafe {
        if sys::napi_get_reference_value(env, function, &mut callee) != sys::Status::napi_ok
            || sys::napi_get_global(env, &mut global) != sys::Status::napi_ok
        {
            return None;
        }
        let (count, arguments) =
            (usize::from(argument.is_some()), argument.as_ref().map_or(ptr::null(), ptr::from_ref));
        let status = sys::napi_make_callback(env, ptr::null_mut(), global, callee, count, arguments, &mut result);
        let mut error = ptr::null_mut();
        if status == sys::Status::napi_pending_exception
            && sys::napi_get_and_clear_last_exception(env, &mut error) == sys::Status::napi_ok
        {
            // An environment that is being terminated comes here, too, and takes no notice.
            sys::napi_fatal_exception(env, error);
        }
        let called = status == sys::Status::napi_ok
            && sys::napi_get_value_uint32(env, result, &mut number) == sys::Status::napi_ok;
        called.then_some(number)
    }
}
