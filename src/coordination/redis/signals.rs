//! The connection that hears hints and by which others see that an incarnation listens.
//!
//! RESP2 by hand, because the redis crate's pub/sub keeps messages in an unbounded queue. Hints go straight into a
//! bounded broadcast; nothing else is queued.

use super::dial::{Dialer, Socket};
use super::failure::{late, translate};
use super::link::{Link, CONNECT_DEADLINE};
use super::retry::Retry;
use crate::coordination::keys::Keys;
use crate::coordination::{CoordinationError, CoordinationResult, Signal};
use crate::ids::Incarnation;
use redis::{parse_redis_value_async, RedisError, Value};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWriteExt, WriteHalf};
use tokio::sync::{broadcast, watch};
use tokio::time::{interval, sleep, timeout, MissedTickBehavior};
use tracing::{debug, info};

/// Hints that a slow receiver may be behind; then it is told that it lagged.
const HINTS: usize = 256;
/// The subscription is repeated this often: a proof of life that works on every server (PING does not before Redis 3).
const HEARTBEAT: Duration = Duration::from_secs(5);
/// The answer to a subscription.
const ANSWER_DEADLINE: Duration = Duration::from_secs(2);

/// What the server confirmed in this session: how many subscriptions of the hint channel, and as whom we listen.
type Answers = (u64, Option<Incarnation>);
type Writer = WriteHalf<Box<dyn Socket>>;

#[derive(Clone, PartialEq, Debug)]
enum State {
    New,
    /// Subscribed; `confirmed` counts answers to subscriptions of the hint channel.
    Up { confirmed: u64, listening: Option<Incarnation> },
    Down(CoordinationError),
    Closed,
}

/// The handle and the task share this.
pub struct Signals {
    dialer: Arc<Dialer>,
    keys: Arc<Keys>,
    /// `Resync` is worth something only when commands work again.
    commands: Arc<Link>,
    hints: broadcast::Sender<Signal>,
    wanted: watch::Sender<Option<Incarnation>>,
    state: watch::Sender<State>,
}

impl Signals {
    pub fn new(dialer: Arc<Dialer>, keys: Arc<Keys>, commands: Arc<Link>) -> Self {
        Self {
            dialer,
            keys,
            commands,
            hints: broadcast::Sender::new(HINTS),
            wanted: watch::Sender::new(None),
            state: watch::Sender::new(State::New),
        }
    }

    pub fn receiver(&self) -> broadcast::Receiver<Signal> {
        self.hints.subscribe()
    }

    /// Waits for the end of the first attempt to subscribe.
    pub async fn settled(&self) -> CoordinationResult<()> {
        let mut states = self.state.subscribe();
        let _ = states.wait_for(|state| !matches!(state, State::New)).await;
        self.check()
    }

    fn check(&self) -> CoordinationResult<()> {
        match &*self.state.borrow() {
            State::Up { .. } => Ok(()),
            State::Down(error) => Err(error.clone()),
            State::New => Err(self.not_there("is not open")),
            State::Closed => Err(self.not_there("is closed")),
        }
    }

    fn not_there(&self, why: &str) -> CoordinationError {
        CoordinationError::Unavailable(format!("Redis at {}: the connection for signals {why}", self.dialer.place()))
    }

    /// Listens as this incarnation from now on, through reconnects; returns when the server confirmed.
    pub async fn listen_as(&self, incarnation: Option<&Incarnation>) -> CoordinationResult<()> {
        self.wanted.send_replace(incarnation.cloned());
        self.check()?;
        let mut states = self.state.subscribe();
        let done = states.wait_for(|state| match state {
            State::Up { listening, .. } => listening.as_ref() == incarnation,
            _ => true,
        });
        if timeout(ANSWER_DEADLINE, done).await.is_err() {
            return Err(late(self.dialer.place(), "SUBSCRIBE", ANSWER_DEADLINE));
        }
        self.check()
    }

    pub fn close(&self) {
        self.state.send_replace(State::Closed);
    }

    /// Back to the beginning after a first attempt that failed.
    pub fn reset(&self) {
        self.publish(State::New);
    }

    /// Keeps the subscription up until [`Signals::close`]. One task runs this.
    pub async fn supervise(self: Arc<Self>) {
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
                _ = sleep(retry.pause()) => {}
                () = self.closed() => return,
            }
        }
    }

    async fn closed(&self) {
        let mut states = self.state.subscribe();
        let _ = states.wait_for(|state| matches!(state, State::Closed)).await;
    }

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
        let socket = match timeout(CONNECT_DEADLINE, self.enter()).await {
            Ok(Ok(socket)) => socket,
            Ok(Err(error)) => return error,
            Err(_) => return late(self.dialer.place(), "connecting", CONNECT_DEADLINE),
        };
        *retry = Retry::new();
        let (reader, writer) = tokio::io::split(socket);
        // The subscription shows in the state; until then this session is not up.
        let answers = watch::Sender::new(Answers::default());
        tokio::select! {
            error = self.hear(reader, &answers) => error,
            error = self.keep(writer, &answers, missed) => error,
        }
    }

    /// Dials and authenticates.
    async fn enter(&self) -> CoordinationResult<Box<dyn Socket>> {
        let mut socket = self.dialer.dial().await?.socket;
        let config = self.dialer.config();
        let Some(password) = &config.password else { return Ok(socket) };
        if let Some(username) = &config.username {
            match self.ask(&mut socket, redis::cmd("AUTH").arg(username).arg(password)).await {
                // Before Redis 6 there are no users.
                Err(CoordinationError::Refused(text)) if text.contains("wrong number of arguments") => {}
                answer => return answer.map(|()| socket),
            }
        }
        self.ask(&mut socket, redis::cmd("AUTH").arg(password)).await?;
        Ok(socket)
    }

    async fn ask(&self, socket: &mut Box<dyn Socket>, command: &redis::Cmd) -> CoordinationResult<()> {
        let failed = |error: RedisError| translate(self.dialer.place(), "AUTH", &error);
        socket.write_all(&command.get_packed_command()).await.map_err(|error| failed(error.into()))?;
        let answer = parse_redis_value_async(&mut Default::default(), socket).await.map_err(failed)?;
        answer.extract_error().map(|_| ()).map_err(failed)
    }

    /// Reads until the connection ends.
    async fn hear(&self, mut reader: impl AsyncRead + Unpin, answers: &watch::Sender<Answers>) -> CoordinationError {
        let mut decoder = Default::default();
        loop {
            let value = parse_redis_value_async(&mut decoder, &mut reader).await.and_then(Value::extract_error);
            match value {
                Ok(value) => self.take(value, answers),
                Err(error) => return translate(self.dialer.place(), "the subscription", &error),
            }
        }
    }

    fn take(&self, value: Value, answers: &watch::Sender<Answers>) {
        let Value::Array(parts) = value else { return };
        let [Value::BulkString(kind), Value::BulkString(channel), last] = parts.as_slice() else { return };
        let channel = String::from_utf8_lossy(channel);
        let incarnation = self.keys.alive_incarnation(&channel);
        match (kind.as_slice(), last, incarnation) {
            (b"subscribe", _, Some(incarnation)) => answers.send_modify(|(_, listening)| *listening = Some(incarnation)),
            (b"subscribe", _, None) => answers.send_modify(|(confirmed, _)| *confirmed += 1),
            (b"unsubscribe", _, incarnation) => answers.send_modify(|(_, listening)| {
                if *listening == incarnation {
                    *listening = None;
                }
            }),
            (b"message", Value::BulkString(text), None) => match parse_hint(text) {
                // Nobody needs to listen.
                Some(signal) => drop(self.hints.send(signal)),
                None => debug!(length = text.len(), "a foreign message on the hint channel"),
            },
            _ => {}
        }
    }

    /// Subscribes, repeats that as a heartbeat, follows what is wanted, and tells when all is well again.
    async fn keep(
        &self,
        mut writer: Writer,
        answers: &watch::Sender<Answers>,
        missed: &mut bool,
    ) -> CoordinationError {
        let (mut wanted, mut seen) = (self.wanted.subscribe(), answers.subscribe());
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut subscribed, mut resync) = (None, *missed);
        *missed = true;
        loop {
            let result = tokio::select! {
                _ = heartbeat.tick() => self.subscribe_hints(&mut writer, &mut seen).await,
                _ = seen.changed() => { self.show(&seen); Ok(()) }
                next = differs(&mut wanted, &subscribed) => {
                    let result = self.change_channel(&mut writer, subscribed.as_ref(), next.as_ref()).await;
                    subscribed = next;
                    result
                }
                () = self.commands.up(), if resync && self.check().is_ok() => {
                    resync = false;
                    let _ = self.hints.send(Signal::Resync);
                    Ok(())
                }
            };
            if let Err(error) = result {
                return error;
            }
        }
    }

    fn show(&self, seen: &watch::Receiver<Answers>) {
        let (confirmed, listening) = seen.borrow().clone();
        if confirmed > 0 {
            self.publish(State::Up { confirmed, listening });
        }
    }

    async fn subscribe_hints(&self, writer: &mut Writer, seen: &mut watch::Receiver<Answers>) -> CoordinationResult<()> {
        let before = seen.borrow().0;
        self.write(writer, "SUBSCRIBE", self.keys.hints()).await?;
        if timeout(ANSWER_DEADLINE, seen.wait_for(|(confirmed, _)| *confirmed > before)).await.is_err() {
            return Err(late(self.dialer.place(), "SUBSCRIBE", ANSWER_DEADLINE));
        }
        self.show(seen);
        Ok(())
    }

    async fn change_channel(&self, writer: &mut Writer, before: Option<&Incarnation>, next: Option<&Incarnation>) -> CoordinationResult<()> {
        if let Some(before) = before {
            self.write(writer, "UNSUBSCRIBE", &self.keys.alive(before)).await?;
        }
        if let Some(next) = next {
            self.write(writer, "SUBSCRIBE", &self.keys.alive(next)).await?;
        }
        Ok(())
    }

    async fn write(&self, writer: &mut Writer, command: &str, channel: &str) -> CoordinationResult<()> {
        let bytes = redis::cmd(command).arg(channel).get_packed_command();
        match timeout(ANSWER_DEADLINE, writer.write_all(&bytes)).await {
            Ok(result) => result.map_err(|error| translate(self.dialer.place(), command, &error.into())),
            Err(_) => Err(late(self.dialer.place(), command, ANSWER_DEADLINE)),
        }
    }
}

/// Waits until something else is wanted than this.
async fn differs(wanted: &mut watch::Receiver<Option<Incarnation>>, from: &Option<Incarnation>) -> Option<Incarnation> {
    match wanted.wait_for(|wanted| wanted != from).await {
        Ok(next) => next.clone(),
        // The sender is ours: it lives as long as this task.
        Err(_) => from.clone(),
    }
}

/// What scripts publish; `None` for anything else.
fn parse_hint(text: &[u8]) -> Option<Signal> {
    match std::str::from_utf8(text).ok()? {
        "members" => Some(Signal::Members),
        "pending" => Some(Signal::Pending),
        "restart" => Some(Signal::Restart),
        other => other.strip_prefix("dead:").filter(|dead| !dead.is_empty()).map(|dead| Signal::Dead(Incarnation::new(dead))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_are_read_and_anything_else_is_none() {
        assert_eq!(parse_hint(b"members"), Some(Signal::Members));
        assert_eq!(parse_hint(b"dead:00ff"), Some(Signal::Dead("00ff".into())));
        for text in [&b"null"[..], b"", b"dead:", b"\xff\xfe", b"{\"m\":\"destroy\"}", b"Members"] {
            assert_eq!(parse_hint(text), None);
        }
    }
}
