//! The handle of one connection to a proven peer: what other parts of the program may do with it.

use super::config::{MAX_CLOSE_TEXT, WAITING_BYTES};
use super::outbox::Outbox;
use super::outcome::{CloseReason, SendError};
use crate::error::Code;
use crate::ids::Endpoint;
use crate::wire::codec::{self, TooLarge};
use crate::wire::handshake::{Identity, Peer, Purpose};
use crate::wire::message::Message;
use bytes::{Bytes, BytesMut};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::OnceLock;
use tokio::sync::watch;

/// How far the end of a connection has come, as seen from here. Only grows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Stage {
    Open,
    /// This side said that it closes.
    Leaving,
    /// Writing failed; what is still there to be read is read.
    Broken,
    /// Over at once.
    Killed,
}

/// Where a connection leads.
pub(super) struct Route {
    pub remote: String,
    /// The endpoint that was connected to; `None`: the peer connected.
    pub target: Option<Endpoint>,
}

pub struct Connection {
    id: u64,
    peer: Peer,
    route: Route,
    in_flight: AtomicUsize,
    creating: AtomicUsize,
    waiting: AtomicUsize,
    /// A frame went in or out since this was last asked.
    active: AtomicBool,
    pub(super) outbox: Outbox,
    stage: watch::Sender<Stage>,
    /// Why this side leaves; set before anybody can see that it does.
    leaving: OnceLock<CloseReason>,
}

impl Connection {
    pub(super) fn new(id: u64, peer: Peer, route: Route, outbox: Outbox) -> Self {
        Self {
            id,
            peer,
            route,
            in_flight: AtomicUsize::new(0),
            creating: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            active: AtomicBool::new(true),
            outbox,
            stage: watch::Sender::new(Stage::Open),
            leaving: OnceLock::new(),
        }
    }

    /// Unlike that of every other connection of this transport, before or after.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Who proved to be at the other end.
    pub fn peer(&self) -> &Identity {
        &self.peer.identity
    }

    /// Whether it carries signs of life alone.
    pub fn is_control(&self) -> bool {
        self.peer.purpose == Purpose::Control
    }

    /// Address of the other end, for people.
    pub fn remote(&self) -> &str {
        &self.route.remote
    }

    /// Whether this side connected.
    pub fn outgoing(&self) -> bool {
        self.route.target.is_some()
    }

    /// The endpoint that this side connected to.
    pub fn target(&self) -> Option<&Endpoint> {
        self.route.target.as_ref()
    }

    /// False from the moment on that `send` refuses.
    pub fn is_open(&self) -> bool {
        self.outbox.is_open()
    }

    /// Longest frame, without its length, that both sides take.
    pub fn max_message_bytes(&self) -> usize {
        self.outbox.max_frame()
    }

    /// Appends one frame for the peer; it is written by the next [`Connection::flush`]. No system call, from any
    /// thread; the frames of one thread keep their order. On an error nothing was accepted.
    pub fn send(&self, message: &Message) -> Result<(), SendError> {
        self.send_with(|out| codec::encode(message, self.max_message_bytes(), out))
    }

    /// [`Connection::send`] of the one frame that `encode` appends.
    pub fn send_with(&self, encode: impl FnOnce(&mut BytesMut) -> Result<(), TooLarge>) -> Result<(), SendError> {
        self.outbox.send(encode)?;
        self.mark_active();
        Ok(())
    }

    /// [`Connection::send`] of an answer: a reply, a failure, a bounce. Also after the goodbye, until the peer has left as well.
    pub fn answer(&self, message: &Message) -> Result<(), SendError> {
        self.answer_with(|out| codec::encode(message, self.max_message_bytes(), out))
    }

    /// [`Connection::answer`] of the one frame that `encode` appends.
    pub fn answer_with(&self, encode: impl FnOnce(&mut BytesMut) -> Result<(), TooLarge>) -> Result<(), SendError> {
        self.outbox.send_answer(encode)?;
        self.mark_active();
        Ok(())
    }

    /// Writes what the socket takes right now on this thread; the connection's task writes the rest.
    pub fn flush(&self) {
        self.outbox.flush();
    }

    /// Bytes that were accepted and that the socket has not taken.
    pub fn queued_bytes(&self) -> usize {
        self.outbox.queued()
    }

    /// Calls that run over this connection, counted by whoever makes them: above 0 it is never closed as idle.
    pub fn in_flight(&self) -> &AtomicUsize {
        &self.in_flight
    }

    /// Requests of the peer to take up a worker that were not answered yet, counted by whoever takes them.
    pub fn creating(&self) -> &AtomicUsize {
        &self.creating
    }

    /// Counts bytes of a message of the peer's that is to wait here; `false`: too many wait already.
    pub fn reserve_waiting(&self, bytes: usize) -> bool {
        let before = self.waiting.fetch_add(bytes, Relaxed);
        if before + bytes > WAITING_BYTES {
            self.waiting.fetch_sub(bytes, Relaxed);
            return false;
        }
        true
    }

    /// Counts bytes of a message that was let in before and waits again, whatever waits already.
    pub fn add_waiting(&self, bytes: usize) {
        self.waiting.fetch_add(bytes, Relaxed);
    }

    /// A message that was counted waits no longer.
    pub fn release_waiting(&self, bytes: usize) {
        self.waiting.fetch_sub(bytes, Relaxed);
    }

    /// Bytes of the peer's messages that wait here.
    pub fn waiting_bytes(&self) -> usize {
        self.waiting.load(Relaxed)
    }

    /// Says goodbye. `send` refuses from here on; what was accepted is still written, for a while. What the peer had
    /// on its way comes back to it as a bounce; answers from it are still delivered.
    pub fn close(&self, code: Code, message: &str) {
        let reason = CloseReason::Local { code, message: message.to_owned() };
        self.outbox.leave(&farewell(code, message), || self.left(reason));
    }

    /// Closes a connection on which nothing waits, if so.
    pub(super) fn close_idle(&self) {
        self.outbox.leave_if_empty(&farewell(Code::Unreachable, "idle"), || self.left(CloseReason::Idle));
    }

    /// Says goodbye to a peer that cannot be understood.
    pub(super) fn close_bad(&self, what: &str) -> CloseReason {
        let reason = CloseReason::Protocol(what.to_owned());
        self.outbox.leave(&farewell(Code::Unreachable, what), || self.left(reason.clone()));
        reason
    }

    /// Nothing more is written. What can be read still is.
    pub(super) fn break_off(&self) {
        self.outbox.break_off();
        self.advance(Stage::Broken);
    }

    /// Ends it at once.
    pub(super) fn kill(&self) {
        self.outbox.break_off();
        self.advance(Stage::Killed);
    }

    pub(super) fn stage(&self) -> watch::Receiver<Stage> {
        self.stage.subscribe()
    }

    pub(super) fn leaving(&self) -> Option<&CloseReason> {
        self.leaving.get()
    }

    pub(super) fn mark_active(&self) {
        self.active.store(true, Relaxed);
    }

    /// Whether anything happened since the last time this was asked, or is still to happen.
    pub(super) fn was_active(&self) -> bool {
        self.active.swap(false, Relaxed) || self.in_flight.load(Relaxed) > 0 || self.queued_bytes() > 0
    }

    fn left(&self, reason: CloseReason) {
        // Only who was first to leave comes here.
        let _ = self.leaving.set(reason);
        self.advance(Stage::Leaving);
    }

    fn advance(&self, stage: Stage) {
        self.stage.send_if_modified(|now| {
            let later = *now < stage;
            *now = (*now).max(stage);
            later
        });
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arrow = if self.outgoing() { "→" } else { "←" };
        write!(f, "Connection({} {arrow} {} at {})", self.id, self.peer.identity.broker, self.route.remote)
    }
}

fn farewell(code: Code, text: &str) -> Message {
    // Cut at the end of a character.
    let end = (0..=text.len().min(MAX_CLOSE_TEXT)).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    Message::Close { code, message: Bytes::copy_from_slice(&text.as_bytes()[..end]) }
}
