//! How long reading goes on, and what interrupts it: idleness, goodbyes, back pressure.

use super::config::{FAREWELL, IDLE_CHECKS};
use super::connection::{Connection, Stage};
use super::intake::{Intake, Mode};
use super::lock;
use super::outcome::CloseReason;
use super::shared::Shared;
use super::stream::Input;
use bytes::BytesMut;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
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

pub(super) struct Reader {
    shared: Arc<Shared>,
    connection: Arc<Connection>,
    /// Nobody waits for this lock: whoever takes in bytes in the reader's place does so on the reader's thread.
    intake: Arc<Mutex<Intake>>,
    /// The next look at idleness; then the end of the farewell.
    timer: Pin<Box<Sleep>>,
    /// The timer stands at the end of the farewell.
    leaving: bool,
    quiet_checks: u32,
}

/// What woke the reader.
enum Woken {
    Read(std::io::Result<usize>),
    Timer,
    Stage,
}

impl Reader {
    /// `buffer`: what came together with the end of the handshake.
    pub(crate) fn new(shared: Arc<Shared>, connection: Arc<Connection>, buffer: BytesMut) -> Self {
        Self {
            intake: Arc::new(Mutex::new(Intake::new(shared.clone(), connection.clone(), buffer))),
            timer: Box::pin(sleep(idle_check(&shared))),
            shared,
            connection,
            leaving: false,
            quiet_checks: 0,
        }
    }

    pub(crate) fn intake(&self) -> Arc<Mutex<Intake>> {
        self.intake.clone()
    }

    /// Until the end.
    pub(crate) async fn run(&mut self, input: &mut Input) -> Ending {
        let mut stage = self.connection.stage();
        // Whatever stage it came to before this.
        stage.mark_changed();
        let mut reads = 0usize;
        loop {
            let delivered = lock(&self.intake).deliver();
            if let Err(reason) = delivered {
                return self.ended(reason);
            }
            self.connection.flush();
            self.look_at_mode();
            if !self.leaving && lock(&self.intake).is_ahead() {
                // A peer that we are behind of is not read: its own outbox fills, and only that one.
                tokio::select! {
                    () = self.shared.events.ready() => {}
                    _ = stage.changed() => stage.mark_changed(),
                }
                lock(&self.intake).brought_work = false;
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
                Woken::Timer if !self.leaving => self.check_idle(),
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
        // A control connection is never idle: who made it closes it.
        let idles = !self.shared.config.idle_timeout.is_zero() && !self.connection.is_control();
        let timed = self.leaving || idles;
        let read = poll_fn(|cx| {
            let mut intake = lock(&self.intake);
            if let Some(read) = intake.left_over.take() {
                return Poll::Ready(read);
            }
            intake.make_room();
            let read = input.poll_read(cx, &mut intake.buffer);
            intake.awaits = read.is_pending() && !self.leaving;
            read
        });
        let woken = tokio::select! {
            biased;
            Ok(()) = stage.changed() => Woken::Stage,
            read = read => Woken::Read(read),
            () = self.timer.as_mut(), if timed => Woken::Timer,
        };
        lock(&self.intake).awaits = false;
        woken
    }

    fn leave(&mut self, mode: Mode, reason: CloseReason) {
        lock(&self.intake).leave(mode, reason);
        self.look_at_mode();
    }

    /// A goodbye may have come among the frames.
    fn look_at_mode(&mut self) {
        if !self.leaving && lock(&self.intake).mode() != Mode::Open {
            self.leaving = true;
            self.timer.as_mut().reset(Instant::now() + FAREWELL);
        }
    }

    /// The peer says no more, or is not listened to any more.
    fn ended(&mut self, reason: CloseReason) -> Ending {
        self.connection.outbox.end();
        self.look_at_mode();
        // Nobody takes what is still queued when the peer just vanished.
        let vanished = !self.leaving && self.connection.leaving().is_none();
        self.leave(Mode::Left, reason.clone());
        let write_until = (!vanished).then(|| self.timer.deadline());
        let known = lock(&self.intake).reason();
        Ending { reason: known.unwrap_or(reason), write_until }
    }

    fn check_idle(&mut self) {
        self.timer.as_mut().reset(Instant::now() + idle_check(&self.shared));
        if self.connection.was_active() {
            self.quiet_checks = 0;
            return;
        }
        {
            let buffer = &mut lock(&self.intake).buffer;
            if buffer.is_empty() {
                // A connection that is hardly used holds no buffer.
                *buffer = BytesMut::new();
            }
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
