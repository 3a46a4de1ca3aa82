//! What is done with the bytes that arrive, as far as nothing has to be waited for.

use super::connection::Connection;
use super::incidents::Incident;
use super::outcome::CloseReason;
use super::polled::PolledSocket;
use super::shared::Shared;
use crate::error::Code;
use crate::wire::codec::Decoder;
use crate::wire::message::Message;
use bytes::{Bytes, BytesMut};
use std::io;
use std::sync::Arc;
use std::task::Poll;

/// Who is on the way out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mode {
    Open,
    /// We are: requests are bounced, answers taken.
    Leaving,
    /// The peer is, or the writing side is gone: whatever still arrives is taken.
    Left,
}

pub(super) struct Intake {
    shared: Arc<Shared>,
    connection: Arc<Connection>,
    decoder: Decoder,
    pub buffer: BytesMut,
    mode: Mode,
    /// Set when the mode leaves `Open`.
    reason: Option<CloseReason>,
    /// Something that may have to wait arrived since room was last waited for: what carries pings alone is read whatever happens here.
    pub brought_work: bool,
    /// The reader waits for bytes, and for nothing that has to come before them.
    pub awaits: bool,
    /// A read that [`Intake::take_in`] leaves to the reader.
    pub left_over: Option<io::Result<usize>>,
    /// How the frames came to an end in it.
    failed: Option<CloseReason>,
}

impl Intake {
    pub(crate) fn new(shared: Arc<Shared>, connection: Arc<Connection>, buffer: BytesMut) -> Self {
        Self {
            connection,
            decoder: Decoder::new(shared.config.max_message_bytes),
            shared,
            buffer,
            mode: Mode::Open,
            reason: None,
            brought_work: false,
            awaits: false,
            left_over: None,
            failed: None,
        }
    }

    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    pub(crate) fn reason(&mut self) -> Option<CloseReason> {
        self.reason.take()
    }

    pub(crate) fn make_room(&mut self) {
        self.decoder.make_room(&mut self.buffer);
    }

    /// Reads and hands on what the socket has, in the reader's place. False: the reader has to look.
    pub(crate) fn take_in(&mut self, socket: &PolledSocket) -> bool {
        while self.awaits {
            self.make_room();
            let Poll::Ready(read) = socket.poll_read(&mut self.buffer) else { return true };
            if matches!(read, Ok(1..)) {
                self.connection.mark_active();
                self.failed = self.deliver().err();
                self.connection.flush();
                if self.failed.is_none() && self.mode == Mode::Open && !self.is_ahead() {
                    continue;
                }
            }
            self.left_over = Some(read);
            return false;
        }
        false
    }

    /// Whether there is no room for more work.
    pub(crate) fn is_ahead(&mut self) -> bool {
        if self.brought_work && self.shared.events.is_ready() {
            self.brought_work = false;
        }
        self.brought_work
    }

    /// Hands on every whole frame of the buffer.
    pub(crate) fn deliver(&mut self) -> Result<(), CloseReason> {
        if let Some(reason) = self.failed.take() {
            return Err(reason);
        }
        loop {
            match self.decoder.next(&mut self.buffer) {
                Ok(None) => return Ok(()),
                Ok(Some(Message::Close { code, message })) => {
                    let message = String::from_utf8_lossy(&message).into_owned();
                    self.leave(Mode::Left, CloseReason::Peer { code, message });
                    self.connection.outbox.end();
                }
                Ok(Some(message)) if self.mode == Mode::Leaving => {
                    if let Some(answer) = self.bounce(message) {
                        self.hand_on(answer)?;
                    }
                }
                Ok(Some(message)) => self.hand_on(message)?,
                Err(error) => {
                    self.shared.incidents.note(Incident::BadFrame, &self.connection.remote(), &error);
                    return Err(self.connection.close_bad(&error.to_string()));
                }
            }
        }
    }

    fn hand_on(&mut self, message: Message) -> Result<(), CloseReason> {
        self.brought_work |= matches!(
            message,
            Message::Ask { .. } | Message::Tell { .. } | Message::Sync { .. } | Message::Create { .. }
        );
        if self.shared.on_message(&self.connection, message) {
            return Ok(());
        }
        Err(self.connection.close_bad("a message could not be handled"))
    }

    /// A request that came after our goodbye goes back untouched; an answer is returned. The code is the one that lets
    /// the sender look again for where its worker is, whatever the goodbye was about.
    fn bounce(&self, message: Message) -> Option<Message> {
        let code = Code::WorkerNotFound;
        let back = match message {
            Message::Ask { call, envelope, .. } => Message::Bounce { call, code, envelope },
            Message::Tell { envelope } => Message::Bounce { call: 0, code, envelope },
            Message::Create { call, .. } => Message::Failure {
                call,
                code,
                message: Bytes::from_static(b"the connection was closed"),
                body: Bytes::new(),
            },
            Message::Reply { .. } | Message::Failure { .. } | Message::Bounce { .. } | Message::Synced { .. } => {
                return Some(message)
            }
            _ => return None,
        };
        self.connection.outbox.answer(&back);
        None
    }

    pub(crate) fn leave(&mut self, mode: Mode, reason: CloseReason) {
        if self.mode == Mode::Open {
            // Whoever said goodbye first here knows better why.
            self.reason = Some(self.connection.leaving().cloned().unwrap_or(reason));
        }
        if self.mode != Mode::Left {
            self.mode = mode;
        }
    }
}
