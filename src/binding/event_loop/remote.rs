//! The loop as other threads see it: what they leave for it, and how they make it look.

use super::uv::{HandlePointer, Uv};
use crate::lock::lock;
use crate::transport::{Session, SocketLoop};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Wake;

/// What other threads left. Both lists are bounded by the number of connections.
#[derive(Default)]
pub(crate) struct Mail {
    pub arrived: Vec<Session>,
    pub woken: Vec<usize>,
    /// `uv_async`, as long as it is open.
    bell: Option<Bell>,
}

struct Bell(HandlePointer);

// SAFETY: it is only given to `uv_async_send`, which any thread may call until the handle is closed; the lock around
// it sees to that.
unsafe impl Send for Bell {}

/// See the module.
pub(crate) struct Remote {
    uv: &'static Uv,
    mail: Mutex<Mail>,
}

impl Remote {
    /// Nothing is taken before [`Remote::open`].
    pub(crate) fn new(uv: &'static Uv) -> Arc<Self> {
        Arc::new(Self { uv, mail: Mutex::default() })
    }

    /// `bell`: an initialised `uv_async` that stays open until [`Remote::close`].
    pub(crate) fn open(&self, bell: HandlePointer) {
        lock(&self.mail).bell = Some(Bell(bell));
    }

    /// What was left so far.
    pub(crate) fn collect(&self) -> Mail {
        let mut mail = lock(&self.mail);
        Mail { arrived: std::mem::take(&mut mail.arrived), woken: std::mem::take(&mut mail.woken), bell: None }
    }

    /// The same, and nothing is taken from now on.
    pub(crate) fn close(&self) -> Mail {
        std::mem::take(&mut *lock(&self.mail))
    }

    fn leave(&self, leave: impl FnOnce(&mut Mail)) {
        let mut mail = lock(&self.mail);
        if let Some(Bell(handle)) = mail.bell {
            leave(&mut mail);
            // SAFETY: open, for it is taken away under the same lock before it is closed.
            unsafe { (self.uv.async_send)(handle) };
        }
    }
}

impl SocketLoop for Remote {
    fn run(&self, session: Session) {
        self.leave(|mail| mail.arrived.push(session));
    }
}

/// Wakes one session.
pub(crate) struct SessionWaker {
    pub id: usize,
    pub remote: Arc<Remote>,
    /// Stands in `woken` already.
    pub queued: AtomicBool,
}

impl Wake for SessionWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            self.remote.leave(|mail| mail.woken.push(self.id));
        }
    }
}
