//! The seam to an event loop outside of this crate that tells when sockets are ready.
//!
//! A connection is served by one future, whoever runs it. On the runtime the socket's readiness comes from the runtime;
//! here the loop's own thread polls the future whenever the loop found the socket ready, so that what arrives is read,
//! decoded and handed on without a change of threads.

use bytes::{BufMut, BytesMut};
use socket2::Socket;
use std::future::Future;
use std::io::{self, Write};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::sync::Arc;
use std::task::{Context, Poll};

/// Reads, and as many writes, after which the application's own sockets and timers get their turn: 256 KiB each way.
const CALLS_PER_TURN: u8 = 4;

/// An event loop that sockets can be served on.
pub trait SocketLoop: Send + Sync + 'static {
    /// Takes steps ([`Session::take_in`], [`Session::step`]) on the loop's thread, and nowhere else: one at once, one whenever the session is woken,
    /// one whenever its socket is ready in a way that the step before named. Drops it on that thread when it is done,
    /// or when the loop ends, and its socket only when the loop has forgotten the descriptor.
    fn run(&self, session: Session);
}

/// What is done on a loop's thread for one socket.
pub struct Session {
    socket: Arc<PolledSocket>,
    /// Takes in what the socket has where nothing else is to be done; false: the whole has to be polled.
    intake: Box<dyn FnMut() -> bool + Send>,
    whole: Pin<Box<dyn Future<Output = ()> + Send>>,
    waits: Ready,
}

impl Session {
    pub(super) fn new(
        socket: Arc<PolledSocket>,
        intake: impl FnMut() -> bool + Send + 'static,
        whole: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        Self { socket, intake: Box::new(intake), whole: Box::pin(whole), waits: Ready::NONE }
    }

    pub fn socket(&self) -> &Arc<PolledSocket> {
        &self.socket
    }

    /// Takes in what the socket has, `ready` as far as the loop knows ([`Ready::NONE`] where the session was woken), where
    /// that is all there is to do: then it tells what it waits for. By far most steps are this one: a future of many parts
    /// need not look at each of them for it. `None`: [`Session::step`] has to follow.
    pub fn take_in(&mut self, ready: Ready) -> Option<Ready> {
        self.socket.tell(ready);
        (ready == Ready::READABLE && (self.intake)()).then_some(self.waits)
    }

    /// Goes on after [`Session::take_in`], within the runtime. Tells what it waits for now; `None`: it is done.
    pub fn step(&mut self, cx: &mut Context<'_>) -> Option<Ready> {
        self.socket.wanted.store(0, Relaxed);
        if self.whole.as_mut().poll(cx).is_ready() {
            return None;
        }
        self.waits = Ready(self.socket.wanted.load(Relaxed));
        Some(self.waits)
    }
}

/// Ways in which a socket can be ready.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ready(u8);

impl Ready {
    pub const NONE: Ready = Ready(0);
    pub const READABLE: Ready = Ready(1);
    pub const WRITABLE: Ready = Ready(2);
    /// An error or the end of the stream, too: the next call on the socket tells which.
    pub const BOTH: Ready = Ready(3);

    pub fn contains(self, other: Ready) -> bool {
        self.0 & other.0 == other.0
    }

    pub fn and(self, other: Ready) -> Ready {
        Ready(self.0 | other.0)
    }
}

/// One direction: calls on the socket that may still be made before the loop is asked again.
#[derive(Default)]
struct Turn(AtomicU8);

impl Turn {
    fn begin(&self) {
        self.0.store(CALLS_PER_TURN, Relaxed);
    }

    /// Whether a call may be made.
    fn take(&self) -> bool {
        let left = self.0.load(Relaxed);
        self.0.store(left.saturating_sub(1), Relaxed);
        left > 0
    }

    fn end(&self) {
        self.0.store(0, Relaxed);
    }
}

/// A socket whose readiness a [`SocketLoop`] tells, level-triggered. Everything but writing without waiting belongs to
/// the loop's thread.
pub struct PolledSocket {
    stream: Socket,
    reads: Turn,
    writes: Turn,
    /// What the session came to wait for in this step.
    wanted: AtomicU8,
}

impl PolledSocket {
    /// `stream` must not block.
    pub(super) fn new(stream: Socket) -> Self {
        let (reads, writes) = (Turn::default(), Turn::default());
        // Nobody knows yet: the first call finds out.
        reads.begin();
        writes.begin();
        Self { stream, reads, writes, wanted: AtomicU8::new(0) }
    }

    /// `None` where sockets have none.
    #[cfg(unix)]
    pub fn descriptor(&self) -> Option<i32> {
        Some(std::os::fd::AsRawFd::as_raw_fd(&self.stream))
    }

    #[cfg(not(unix))]
    pub fn descriptor(&self) -> Option<i32> {
        None
    }

    fn tell(&self, ready: Ready) {
        if ready.contains(Ready::READABLE) {
            self.reads.begin();
        }
        if ready.contains(Ready::WRITABLE) {
            self.writes.begin();
        }
    }

    fn wait(&self, ready: Ready) {
        self.wanted.fetch_or(ready.0, Relaxed);
    }

    /// Reads into the room behind what `buffer` holds; 0 at the end.
    pub(super) fn poll_read(&self, buffer: &mut BytesMut) -> Poll<io::Result<usize>> {
        let room = buffer.spare_capacity_mut();
        let length = room.len();
        if self.reads.take() {
            match receive(&self.stream, room) {
                Err(error) if is_for_later(&error) => self.reads.end(),
                Err(error) => return Poll::Ready(Err(error)),
                Ok(read) => {
                    if read < length {
                        // There was no more: what comes later makes the socket ready again, the end of it as well.
                        self.reads.end();
                    }
                    // SAFETY: the system has written so many bytes to the start of the room.
                    unsafe { buffer.advance_mut(read) };
                    return Poll::Ready(Ok(read));
                }
            }
        }
        self.wait(Ready::READABLE);
        Poll::Pending
    }

    pub(super) fn poll_write(&self, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.writes.take() {
            match self.try_write(bytes) {
                Err(error) if is_for_later(&error) => self.writes.end(),
                result => return Poll::Ready(result),
            }
        }
        self.wait(Ready::WRITABLE);
        Poll::Pending
    }

    /// One attempt without waiting, from any thread.
    pub(super) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        (&self.stream).write(bytes)
    }

    pub(super) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.stream.shutdown(how)
    }
}

/// One read, into room that holds nothing yet.
#[cfg(unix)]
fn receive(stream: &Socket, room: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
    let descriptor = std::os::fd::AsRawFd::as_raw_fd(stream);
    // SAFETY: an open descriptor, and as much room as is said.
    let read = unsafe { libc::recv(descriptor, room.as_mut_ptr().cast(), room.len(), 0) };
    usize::try_from(read).map_err(|_| io::Error::last_os_error())
}

#[cfg(not(unix))]
fn receive(stream: &Socket, room: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
    stream.recv(room)
}

/// The loop tells when to try again.
fn is_for_later(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
