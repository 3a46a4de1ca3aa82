//! What is done with the bytes that arrive, from the first frame to the end of the stream.

use super::config::{FAREWELL, IDLE_CHECKS};
use super::connection::{Connection, Stage};
use super::incidents::Incident;
use super::outcome::CloseReason;
use super::shared::Shared;
use super::stream::Input;
use crate::error::Code;
use crate::wire::codec::Decoder;
use crate::wire::message::Message;
use bytes::{Bytes, BytesMut};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{sleep, Instant, Sleep};

/// Reads in a row without waiting after which the other half of the connection gets its turn.
const READS_PER_TURN: usize = 16;

/// How reading ended.
pub(super) struct Ending {
    pub reason: CloseReason,
    /// What is queued may still be written until then.
    pub write_until: Option<Instant>,
}

/// Who is on the way out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Open,
    /// We are: requests are bounced, answers taken.
    Leaving,
    /// The peer is, or the writing side is gone: whatever still arrives is taken.
    Left,
}

pub(super) struct Reader {
    shared: Arc<Shared>,
    connection: Arc<Connection>,
    decoder: Decoder,
    buffer: BytesMut,
    mode: Mode,
    /// Set when the mode leaves `Open`.
    reason: Option<CloseReason>,
    /// The next look at idleness; then the end of the farewell.
    timer: Pin<Box<Sleep>>,
    quiet_checks: u32,
    /// An ask or tell arrived since room was last waited for: what carries pings alone is read whatever happens here.
    brought_work: bool,
}

/// What woke the reader.
enum Woken {
    Read(std::io::Result<usize>),
    Timer,
    Stage,
}

impl Reader {
    /// `buffer`: what came together with the end of the handshake.
    pub fn new(shared: Arc<Shared>, connection: Arc<Connection>, buffer: BytesMut) -> Self {
        Self {
            connection,
            decoder: Decoder::new(shared.config.max_message_bytes),
            buffer,
            mode: Mode::Open,
            reason: None,
            timer: Box::pin(sleep(idle_check(&shared))),
            shared,
            quiet_checks: 0,
            brought_work: false,
        }
    }

    /// Until the end.
    pub async fn run(&mut self, input: &mut Input) -> Ending {
        let mut stage = self.connection.stage();
        // Whatever stage it came to before this.
        stage.mark_changed();
        let mut reads = 0usize;
        loop {
            if let Err(reason) = self.deliver() {
                return self.ended(reason);
            }
            self.connection.flush();
            if self.mode == Mode::Open && std::mem::take(&mut self.brought_work) {
                // A peer that we are behind of is not read: its own outbox fills, and only that one.
                tokio::select! {
                    () = self.shared.events.ready() => {}
                    _ = stage.changed() => stage.mark_changed(),
                }
            }
            reads += 1;
            if reads.is_multiple_of(READS_PER_TURN) && !input.takes_turns() {
                tokio::task::yield_now().await;
            }
            match self.wait(input, &mut stage).await {
                Woken::Read(Ok(0)) => return self.ended(lost("the peer closed without a word")),
                Woken::Read(Ok(_)) => {
                    self.connection.mark_active();
                    self.quiet_checks = 0;
                }
                Woken::Read(Err(error)) => return self.ended(lost(&error.to_string())),
                Woken::Timer if self.mode == Mode::Open => self.check_idle(),
                Woken::Timer => return self.ended(lost("the farewell took too long")),
                Woken::Stage => {
                    let now = *stage.borrow_and_update();
                    match now {
                        Stage::Open => {}
                        Stage::Leaving => self.leave(Mode::Leaving, lost("closed here")),
                        Stage::Broken => self.leave(Mode::Left, lost("writing failed")),
                        Stage::Killed => {
                            return Ending { write_until: None, ..self.ended(lost("cut")) };
                        }
                    }
                }
            }
        }
    }

    async fn wait(&mut self, input: &mut Input, stage: &mut watch::Receiver<Stage>) -> Woken {
        self.decoder.make_room(&mut self.buffer);
        // A control connection is never idle: who made it closes it.
        let idles = !self.shared.config.idle_timeout.is_zero() && !self.connection.is_control();
        let timed = self.mode != Mode::Open || idles;
        tokio::select! {
            biased;
            Ok(()) = stage.changed() => Woken::Stage,
            read = input.read(&mut self.buffer) => Woken::Read(read),
            () = self.timer.as_mut(), if timed => Woken::Timer,
        }
    }

    /// Hands on every whole frame of the buffer.
    fn deliver(&mut self) -> Result<(), CloseReason> {
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
        self.brought_work |= matches!(message, Message::Ask { .. } | Message::Tell { .. });
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
            Message::Ask { call, time_left, envelope } => Message::Bounce { call, time_left, code, envelope },
            Message::Tell { envelope } => Message::Bounce { call: 0, time_left: 0, code, envelope },
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

    fn leave(&mut self, mode: Mode, reason: CloseReason) {
        if self.mode == Mode::Open {
            self.timer.as_mut().reset(Instant::now() + FAREWELL);
            // Whoever said goodbye first here knows better why.
            self.reason = Some(self.connection.leaving().cloned().unwrap_or(reason));
        }
        if self.mode != Mode::Left {
            self.mode = mode;
        }
    }

    /// The peer says no more, or is not listened to any more.
    fn ended(&mut self, reason: CloseReason) -> Ending {
        self.connection.outbox.end();
        // Nobody takes what is still queued when the peer just vanished.
        let vanished = self.mode == Mode::Open && self.connection.leaving().is_none();
        self.leave(Mode::Left, reason.clone());
        let write_until = (!vanished).then(|| self.timer.deadline());
        Ending { reason: self.reason.take().unwrap_or(reason), write_until }
    }

    fn check_idle(&mut self) {
        self.timer.as_mut().reset(Instant::now() + idle_check(&self.shared));
        if self.connection.was_active() {
            self.quiet_checks = 0;
            return;
        }
        if self.buffer.is_empty() {
            // A connection that is hardly used holds no buffer.
            self.buffer = BytesMut::new();
        }
        self.quiet_checks += 1;
        if self.quiet_checks >= IDLE_CHECKS && !self.shared.events.is_waiting(&self.connection) {
            self.connection.close_idle();
        }
    }
}

fn lost(why: &str) -> CloseReason {
    CloseReason::Lost(why.to_owned())
}

fn idle_check(shared: &Shared) -> Duration {
    shared.config.idle_timeout / IDLE_CHECKS
}
