//! The event loop of a JavaScript environment as one that sockets are served on.
//!
//! A session is polled when libuv finds its socket ready (`uv_poll`), or when it is woken from anywhere (`uv_async`).
//! What the sessions of one turn bring wakes each broker once, at the end of the turn (`uv_check`, which runs before
//! Node's own, so that `setImmediate` of a handler still comes in this turn).
//!
//! Handles are touched on the loop's thread only, their memory and their sockets let go in the callback of `uv_close`;
//! an environment that ends waits for the last of these (an asynchronous cleanup hook): a loop that still has handles
//! aborts the process. No handle keeps the loop alive.

mod remote;
mod uv;
mod wakeup;

pub(crate) use wakeup::Wakeup;

use crate::transport::{PolledSocket, Ready, Session, SocketLoop};
use napi::{sys, Env};
use remote::{Remote, SessionWaker};
use rustc_hash::FxHashMap;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::{c_int, c_void};
use std::mem::ManuallyDrop;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::task::{Context, Waker};
use uv::{HandlePointer, LoopPointer, Uv};
use wakeup::{on_turn_end, InTurn, Listener};

struct Running {
    session: Session,
    state: Arc<SessionWaker>,
    waker: Waker,
    handle: HandlePointer,
    /// What `handle` looks out for.
    polled: c_int,
}

/// What a handle holds until it is closed.
struct Held {
    _memory: Box<[u128]>,
    _socket: Option<Arc<PolledSocket>>,
}

struct EventLoop {
    id: u64,
    uv: &'static Uv,
    env: sys::napi_env,
    pointer: LoopPointer,
    remote: Arc<Remote>,
    /// By the number that its handle and its waker know it by; empty while it is in a step.
    sessions: Vec<Option<Box<Running>>>,
    /// Numbers that nobody has.
    free: Vec<usize>,
    held: HashMap<HandlePointer, Held>,
    /// Functions of JavaScript that look into an inbox.
    wakes: FxHashMap<u64, Listener>,
    /// Set when the environment ends: to be removed with the last handle.
    ending: Option<sys::napi_async_cleanup_hook_handle>,
}

thread_local! {
    /// An environment never leaves its thread. Not dropped with the thread: where a process exits in the midst of
    /// everything, libuv and the other threads still know the handles.
    static LOOP: RefCell<ManuallyDrop<Option<EventLoop>>> = const { RefCell::new(ManuallyDrop::new(None)) };
}

static LAST_ID: AtomicU64 = AtomicU64::new(0);

/// The loop of this environment; `None` where it cannot be had.
pub(crate) fn sockets(env: &Env) -> Option<Arc<dyn SocketLoop>> {
    let known = LOOP.with_borrow(|known| known.as_ref().map(|known| (known.remote.clone(), known.ending.is_some())));
    match known {
        Some((_, true)) => None,
        Some((remote, false)) => Some(remote),
        None => {
            let opened = EventLoop::open(env.raw())?;
            let remote = opened.remote.clone();
            LOOP.set(ManuallyDrop::new(Some(opened)));
            Some(remote)
        }
    }
}

impl EventLoop {
    fn open(env: sys::napi_env) -> Option<Self> {
        let uv = Uv::get()?;
        let mut pointer = ptr::null_mut();
        // SAFETY: the environment of the running call.
        if unsafe { (uv.event_loop)(env, &mut pointer) } != sys::Status::napi_ok || pointer.is_null() {
            return None;
        }
        let mut hook = ptr::null_mut();
        // SAFETY: as above; `on_end` finds what it needs on its thread.
        let status = unsafe { sys::napi_add_async_cleanup_hook(env, Some(on_end), ptr::null_mut(), &mut hook) };
        if status != sys::Status::napi_ok {
            return None;
        }
        let remote = Remote::new(uv);
        let id = LAST_ID.fetch_add(1, Ordering::Relaxed) + 1;
        let (sessions, free, held, wakes) = Default::default();
        let mut opened = Self { id, uv, env, pointer, remote, sessions, free, held, wakes, ending: None };
        // SAFETY: fresh memory of the right size, on the loop's thread.
        let bell = opened.handle(uv::ASYNC, None, |handle| unsafe { (uv.async_init)(pointer, handle, on_mail) })?;
        // SAFETY: as above.
        let check = opened.handle(uv::CHECK, None, |handle| unsafe { (uv.check_init)(pointer, handle) })?;
        // SAFETY: initialised above.
        unsafe { (uv.check_start)(check, on_turn_end) };
        opened.remote.open(bell);
        Some(opened)
    }

    /// A handle that does not keep the loop alive.
    fn handle(
        &mut self,
        kind: c_int,
        socket: Option<Arc<PolledSocket>>,
        init: impl FnOnce(HandlePointer) -> c_int,
    ) -> Option<HandlePointer> {
        // SAFETY: a plain question.
        let size = unsafe { (self.uv.handle_size)(kind) };
        let mut memory = vec![0u128; size.div_ceil(size_of::<u128>())].into_boxed_slice();
        let handle: HandlePointer = memory.as_mut_ptr().cast();
        if init(handle) != 0 {
            return None;
        }
        // SAFETY: initialised.
        unsafe { (self.uv.unref)(handle) };
        self.held.insert(handle, Held { _memory: memory, _socket: socket });
        Some(handle)
    }

    fn close(&self, handle: HandlePointer) {
        // SAFETY: a handle in `held` is open or closing.
        unsafe {
            if (self.uv.is_closing)(handle) == 0 {
                (self.uv.close)(handle, on_closed);
            }
        }
    }

    /// Takes up a session; `None`, and it is dropped, where its socket cannot be polled.
    fn adopt(&mut self, session: Session) -> Option<usize> {
        let socket = session.socket().clone();
        let (uv, pointer, descriptor) = (self.uv, self.pointer, socket.descriptor()?);
        // SAFETY: fresh memory of the right size, on the loop's thread; `held` keeps the descriptor open.
        let init = |handle| unsafe { (uv.poll_init)(pointer, handle, descriptor) };
        let handle = self.handle(uv::POLL, Some(socket), init)?;
        let id = self.free.pop().unwrap_or(self.sessions.len());
        if id == self.sessions.len() {
            self.sessions.push(None);
        }
        // SAFETY: initialised. The data is a number, not an address.
        unsafe { (uv.set_data)(handle, id as *mut c_void) };
        let state = Arc::new(SessionWaker { id, remote: self.remote.clone(), queued: AtomicBool::new(false) });
        let waker = Waker::from(state.clone());
        self.sessions[id] = Some(Box::new(Running { session, state, waker, handle, polled: 0 }));
        Some(id)
    }

    /// Lets libuv look out for what a session waits for now.
    fn look_out(&self, running: &mut Running, wanted: Ready) {
        let mut events = 0;
        if wanted.contains(Ready::READABLE) {
            events |= uv::READABLE;
        }
        if wanted.contains(Ready::WRITABLE) {
            events |= uv::WRITABLE;
        }
        if events == running.polled {
            return;
        }
        running.polled = events;
        // SAFETY: the handle of a running session is open. Neither call fails on such.
        unsafe {
            match events {
                0 => (self.uv.poll_stop)(running.handle),
                _ => (self.uv.poll_start)(running.handle, events, on_poll),
            };
        }
    }
}

/// Lets one session go on.
fn step(id: usize, ready: Ready) {
    let taken = LOOP.with_borrow_mut(|event_loop| {
        let event_loop = event_loop.as_mut()?;
        Some((event_loop.sessions.get_mut(id)?.take()?, event_loop.id))
    });
    // It may have ended since it was woken, and another one may have its number: then that one is woken in vain.
    let Some((mut running, event_loop)) = taken else { return };
    if ready == Ready::NONE {
        running.state.queued.store(false, Ordering::Release);
    }
    let waits = {
        let _turn = InTurn::begin(event_loop);
        let Running { session, waker, .. } = &mut *running;
        let stepped = catch_unwind(AssertUnwindSafe(|| {
            session.take_in(ready).or_else(|| {
                let _runtime = super::runtime::enter();
                session.step(&mut Context::from_waker(waker))
            })
        }));
        stepped.unwrap_or_else(|_| {
            tracing::error!("what serves a connection panicked");
            None
        })
    };
    if let Some(waits) = waits {
        LOOP.with_borrow_mut(|event_loop| {
            if let Some(event_loop) = event_loop.as_mut() {
                event_loop.look_out(&mut running, waits);
                event_loop.sessions[id] = Some(running);
            }
        });
    } else {
        // Dropping runs code of the session, too.
        let _runtime = super::runtime::enter();
        let handle = running.handle;
        drop(running);
        LOOP.with_borrow_mut(|event_loop| {
            if let Some(event_loop) = event_loop.as_mut() {
                event_loop.free.push(id);
                event_loop.close(handle);
            }
        });
    }
}

/// A socket is ready.
unsafe extern "C" fn on_poll(handle: HandlePointer, status: c_int, events: c_int) {
    let id = LOOP.with_borrow_mut(|event_loop| {
        let event_loop = event_loop.as_mut()?;
        // SAFETY: the handle is open.
        let id = unsafe { (event_loop.uv.get_data)(handle) } as usize;
        if status < 0 {
            // libuv has stopped the handle.
            event_loop.sessions[id].as_mut()?.polled = 0;
        }
        Some(id)
    });
    let ready = match (status < 0, events) {
        (false, uv::READABLE) => Ready::READABLE,
        (false, uv::WRITABLE) => Ready::WRITABLE,
        // Also where something is wrong: the socket itself says what.
        _ => Ready::BOTH,
    };
    if let Some(id) = id {
        step(id, ready);
    }
}

/// Other threads left something.
unsafe extern "C" fn on_mail(_handle: HandlePointer) {
    let remote = LOOP.with_borrow(|event_loop| event_loop.as_ref().map(|event_loop| event_loop.remote.clone()));
    let Some(remote) = remote else { return };
    let mail = remote.collect();
    for session in mail.arrived {
        let id = LOOP.with_borrow_mut(|event_loop| event_loop.as_mut()?.adopt(session));
        if let Some(id) = id {
            step(id, Ready::NONE);
        }
    }
    mail.woken.into_iter().for_each(|id| step(id, Ready::NONE));
}

/// The environment ends.
unsafe extern "C" fn on_end(hook: sys::napi_async_cleanup_hook_handle, _data: *mut c_void) {
    let ended = LOOP.with_borrow_mut(|event_loop| {
        let event_loop = event_loop.as_mut()?;
        event_loop.ending = Some(hook);
        Some((std::mem::take(&mut event_loop.sessions), event_loop.remote.close()))
    });
    let Some(dropped) = ended else {
        // It could not be opened.
        // SAFETY: as in `on_closed`.
        unsafe { sys::napi_remove_async_cleanup_hook(hook) };
        return;
    };
    {
        let _runtime = super::runtime::enter();
        drop(dropped);
    }
    LOOP.with_borrow(|event_loop| {
        if let Some(event_loop) = event_loop.as_ref() {
            event_loop.held.keys().for_each(|handle| event_loop.close(*handle));
        }
    });
}

/// libuv has forgotten a handle.
unsafe extern "C" fn on_closed(handle: HandlePointer) {
    let (held, ended) = LOOP.with_borrow_mut(|slot| {
        let held = slot.as_mut().and_then(|event_loop| event_loop.held.remove(&handle));
        let last = slot.as_ref().is_some_and(|event_loop| event_loop.held.is_empty());
        let ending = slot.as_ref().and_then(|event_loop| event_loop.ending).filter(|_| last);
        (held, ending.map(|hook| (hook, slot.take())))
    });
    drop(held);
    if let Some((hook, event_loop)) = ended {
        drop(event_loop);
        // SAFETY: the hook's own handle, given back once.
        unsafe { sys::napi_remove_async_cleanup_hook(hook) };
    }
}
