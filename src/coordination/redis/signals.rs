//! Keeps the connection that hears hints, and by which others see that an incarnation listens.

use super::dial::Dialer;
use super::failure::late;
use super::link::{Link, PROVEN};
use super::retry::Retry;
use super::subscription::{Subscription, ANSWER_DEADLINE};
use crate::coordination::keys::Channels;
use crate::coordination::{CoordinationError, CoordinationResult, Signal};
use crate::ids::Incarnation;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{broadcast, watch};
use tokio::time::{sleep, timeout};
use tracing::info;

/// Hints that a slow receiver may be behind; then it is told that it lagged.
const HINTS: usize = 256;

enum State {
    New,
    /// Subscribed.
    Up {
        listening: Option<Incarnation>,
    },
    Down(CoordinationError),
    Closed,
}

/// The handle and the task share this.
pub(super) struct Signals {
    dialer: Arc<Dialer>,
    channels: Channels,
    /// `Resync` is worth something only when commands work again.
    commands: Arc<Link>,
    hints: broadcast::Sender<Signal>,
    wanted: watch::Sender<Option<Incarnation>>,
    state: watch::Sender<State>,
}

impl Signals {
    pub(super) fn new(dialer: Arc<Dialer>, channels: Channels, commands: Arc<Link>) -> Self {
        Self {
            dialer,
            channels,
            commands,
            hints: broadcast::Sender::new(HINTS),
            wanted: watch::Sender::new(None),
            state: watch::Sender::new(State::New),
        }
    }

    pub(super) fn receiver(&self) -> broadcast::Receiver<Signal> {
        self.hints.subscribe()
    }

    /// Waits for the end of the first attempt to subscribe.
    pub(super) async fn settled(&self) -> CoordinationResult<()> {
        self.reaches(|state| !matches!(state, State::New)).await;
        self.check()
    }

    /// Waits until it is up (or closed).
    pub(super) async fn up(&self) {
        self.reaches(|state| matches!(state, State::Up { .. } | State::Closed)).await;
    }

    async fn reaches(&self, condition: impl Fn(&State) -> bool) {
        let mut states = self.state.subscribe();
        let _ = states.wait_for(condition).await;
    }

    fn check(&self) -> CoordinationResult<()> {
        let why = match &*self.state.borrow() {
            State::Up { .. } => return Ok(()),
            State::Down(error) => return Err(error.clone()),
            State::New => "is not open",
            State::Closed => "is closed",
        };
        let text = format!("Redis at {}: the pub/sub connection {why}", self.dialer.place());
        Err(CoordinationError::Unavailable(text))
    }

    /// Listens as this incarnation from now on, through reconnects; returns when the server confirmed.
    pub(super) async fn listen_as(&self, incarnation: Option<&Incarnation>) -> CoordinationResult<()> {
        self.wanted.send_replace(incarnation.cloned());
        self.check()?;
        let done = self.reaches(|state| match state {
            State::Up { listening } => listening.as_ref() == incarnation,
            _ => true,
        });
        match timeout(ANSWER_DEADLINE, done).await {
            Ok(()) => self.check(),
            Err(_) => Err(late(&self.dialer.place(), "SUBSCRIBE", ANSWER_DEADLINE)),
        }
    }

    pub(super) fn close(&self) {
        self.state.send_replace(State::Closed);
    }

    /// Back to the beginning after a first attempt that failed.
    pub(super) fn reset(&self) {
        self.publish(State::New);
    }

    /// Keeps the subscription up until [`Signals::close`]. One task runs this.
    pub(super) async fn supervise(self: Arc<Self>) {
        let (mut retry, mut missed) = (Retry::new(), false);
        loop {
            let error = tokio::select! {
                error = self.session(&mut retry, &mut missed) => error,
                () = self.closed() => return,
            };
            info!(place = self.dialer.place(), %error, "no subscription to Redis");
            if !self.publish(State::Down(error)) {
                return;
            }
            tokio::select! {
                () = sleep(retry.pause()) => {}
                () = self.closed() => return,
            }
        }
    }

    async fn closed(&self) {
        self.reaches(|state| matches!(state, State::Closed)).await;
    }

    /// `false` when it was closed meanwhile.
    fn publish(&self, next: State) -> bool {
        self.state.send_if_modified(|state| {
            let open = !matches!(state, State::Closed);
            if open {
                *state = next;
            }
            open
        })
    }

    /// One connection from dialing to its end; returns why it ended.
    async fn session(&self, retry: &mut Retry, missed: &mut bool) -> CoordinationError {
        let show = |listening| {
            self.publish(State::Up { listening });
        };
        let entered = match self.dialer.connect().await {
            Ok(entered) => entered,
            Err(error) => return error,
        };
        let subscription = Subscription {
            place: &entered.target.place,
            channels: &self.channels,
            commands: &self.commands,
            hints: &self.hints,
            wanted: &self.wanted,
            missed: std::mem::replace(missed, true),
            show: &show,
        };
        let since = Instant::now();
        let error = tokio::select! {
            error = subscription.run(entered.socket) => error,
            () = self.dialer.whereabouts().moved(&entered.target) => {
                CoordinationError::Unavailable(format!("Redis at {}: the master has moved to another server", entered.target.place))
            }
        };
        if since.elapsed() >= PROVEN {
            *retry = Retry::new();
        }
        error
    }
}
