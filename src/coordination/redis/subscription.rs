//! One session of the connection for signals: what is said and heard on it, from its first subscription to its end.
//!
//! RESP2 by hand, because the redis crate's pub/sub keeps messages in an unbounded queue. Hints go straight into a
//! bounded broadcast; nothing else is queued.

use super::failure::{late, translate};
use super::link::Link;
use super::socket::{Place, Socket};
use crate::coordination::keys::{unescape, Channels};
use crate::coordination::{Complaint, CoordinationError, CoordinationResult, Signal};
use crate::ids::{ClassName, ClusterName, Incarnation, ServerTime};
use redis::{parse_redis_value_async, Value};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, WriteHalf};
use tokio::sync::{broadcast, watch};
use tokio::time::{interval, timeout, MissedTickBehavior};
use tracing::debug;

/// The subscription is repeated this often: a proof of life that works on every server (PING does not before Redis 3).
/// What a dead connection would have said is found by the next look at the members.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// Characters of a key that a hint names: anybody who may publish chooses them.
const MAX_EXCERPT: usize = 200;
/// Bytes of one message on these channels: a hint names an incarnation or a key.
const MAX_MESSAGE: u64 = 1024 * 1024;
/// The answer to a subscription.
pub(super) const ANSWER_DEADLINE: Duration = Duration::from_secs(2);

/// What the server confirmed: how many subscriptions of the hint channel, and as whom we listen.
type Answers = (u64, Option<Incarnation>);
type Writer = WriteHalf<Box<dyn Socket>>;

/// What a session needs of its owner.
pub(super) struct Subscription<'a> {
    /// Who is at the other end.
    pub place: &'a Place,
    pub channels: &'a Channels,
    pub commands: &'a Link,
    pub hints: &'a broadcast::Sender<Signal>,
    pub wanted: &'a watch::Sender<Option<Incarnation>>,
    /// There was a session before this one: `Resync` once commands work again.
    pub missed: bool,
    /// Called when the subscription stands, and whenever we listen as somebody else.
    pub show: &'a (dyn Fn(Option<Incarnation>) + Send + Sync),
}

impl Subscription<'_> {
    /// Runs until the connection ends; returns why it did.
    pub(super) async fn run(&self, socket: Box<dyn Socket>) -> CoordinationError {
        let (reader, writer) = tokio::io::split(socket);
        let answers = watch::Sender::new(Answers::default());
        tokio::select! {
            error = self.hear(reader, &answers) => error,
            error = self.keep(writer, &answers) => error,
        }
    }

    async fn hear(&self, reader: impl AsyncRead + Unpin, answers: &watch::Sender<Answers>) -> CoordinationError {
        let (mut decoder, mut reader) = (Default::default(), reader.take(0));
        loop {
            // Whoever may publish chooses how long a message is: a longer one ends the connection like an end of file.
            reader.set_limit(MAX_MESSAGE);
            match parse_redis_value_async(&mut decoder, &mut reader).await.and_then(Value::extract_error) {
                Ok(value) => self.take(value, answers),
                Err(error) => return translate(self.place, "the subscription", &error),
            }
        }
    }

    fn take(&self, value: Value, answers: &watch::Sender<Answers>) {
        let Value::Array(parts) = value else { return };
        let [Value::BulkString(kind), Value::BulkString(channel), last] = parts.as_slice() else { return };
        let incarnation = self.channels.alive_incarnation(&String::from_utf8_lossy(channel));
        match (kind.as_slice(), last, incarnation) {
            (b"subscribe", _, Some(incarnation)) => {
                answers.send_modify(|(_, listening)| *listening = Some(incarnation))
            }
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
    async fn keep(&self, mut writer: Writer, answers: &watch::Sender<Answers>) -> CoordinationError {
        let (mut wanted, mut seen) = (self.wanted.subscribe(), answers.subscribe());
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut subscribed, mut resync) = (None, self.missed);
        loop {
            let result = tokio::select! {
                _ = heartbeat.tick() => self.subscribe_hints(&mut writer, &mut seen).await,
                next = differs(&mut wanted, &subscribed) => {
                    let result = self.change_channel(&mut writer, subscribed.as_ref(), next.as_ref()).await;
                    subscribed = next;
                    result
                }
                _ = seen.changed() => Ok(()),
                () = self.commands.up(), if resync && answers.borrow().0 > 0 => {
                    resync = false;
                    let _ = self.hints.send(Signal::Resync);
                    Ok(())
                }
            };
            if let Err(error) = result {
                return error;
            }
            let (confirmed, listening) = answers.borrow().clone();
            if confirmed > 0 {
                (self.show)(listening);
            }
        }
    }

    async fn subscribe_hints(
        &self,
        writer: &mut Writer,
        seen: &mut watch::Receiver<Answers>,
    ) -> CoordinationResult<()> {
        let before = seen.borrow().0;
        self.write(writer, "SUBSCRIBE", &self.channels.heard).await?;
        match timeout(ANSWER_DEADLINE, seen.wait_for(|(confirmed, _)| *confirmed > before)).await {
            Ok(_) => Ok(()),
            Err(_) => Err(late(self.place, "SUBSCRIBE", ANSWER_DEADLINE)),
        }
    }

    async fn change_channel(
        &self,
        writer: &mut Writer,
        before: Option<&Incarnation>,
        next: Option<&Incarnation>,
    ) -> CoordinationResult<()> {
        if let Some(before) = before {
            self.write(writer, "UNSUBSCRIBE", &self.channels.alive(before)).await?;
        }
        if let Some(next) = next {
            self.write(writer, "SUBSCRIBE", &self.channels.alive(next)).await?;
        }
        Ok(())
    }

    async fn write(&self, writer: &mut Writer, command: &str, channel: &str) -> CoordinationResult<()> {
        let bytes = redis::cmd(command).arg(channel).get_packed_command();
        let writing = async {
            writer.write_all(&bytes).await?;
            writer.flush().await
        };
        match timeout(ANSWER_DEADLINE, writing).await {
            Ok(result) => result.map_err(|error| translate(self.place, command, &error.into())),
            Err(_) => Err(late(self.place, command, ANSWER_DEADLINE)),
        }
    }
}

/// Waits until something else is wanted than this.
async fn differs(wanted: &mut watch::Receiver<Option<Incarnation>>, from: &Option<Incarnation>) -> Option<Incarnation> {
    match wanted.wait_for(|wanted| wanted != from).await {
        Ok(next) => next.clone(),
        // The sender is the owner's: it lives as long as this session.
        Err(_) => from.clone(),
    }
}

/// What scripts publish; `None` for anything else.
fn parse_hint(text: &[u8]) -> Option<Signal> {
    match &*String::from_utf8_lossy(text) {
        "members" => Some(Signal::Members),
        "restart" => Some(Signal::Restart),
        "settled" => Some(Signal::Settled),
        "claimed" => Some(Signal::Claimed),
        other => {
            let (what, whom) = other.split_once(':').filter(|(_, whom)| !whom.is_empty())?;
            match what {
                "dead" => dead(whom),
                "pending" => pending(whom),
                "timer" => timer(whom),
                "overruled" => Some(Signal::Overruled(Incarnation::new(whom))),
                "foreign" => Some(Signal::Foreign(excerpt(whom))),
                "unreadable" => Some(Signal::Unreadable(excerpt(whom))),
                "unusable" => parse_complaint(whom),
                _ => None,
            }
        }
    }
}

/// The beginning of a key, for a line of the log.
fn excerpt(key: &str) -> String {
    key.chars().take(MAX_EXCERPT).collect()
}

/// `incarnation:version before:version after`.
fn dead(text: &str) -> Option<Signal> {
    let mut fields = text.split(':');
    let incarnation = Incarnation::new(fields.next()?);
    let (before, version) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    fields.next().is_none().then_some(Signal::Dead { incarnation, before, version })
}

/// `cluster:class:how many:worker`; the worker's id may contain anything.
fn pending(text: &str) -> Option<Signal> {
    let mut fields = text.splitn(4, ':');
    let cluster = ClusterName::new(unescape(fields.next()?)?);
    let class = ClassName::new(unescape(fields.next()?)?);
    Some(Signal::Pending { cluster, class, waiting: fields.next()?.parse().ok()?, worker: fields.next()?.into() })
}

/// `cluster:class:time in ms`, or 0 for none.
fn timer(text: &str) -> Option<Signal> {
    let mut fields = text.split(':');
    let cluster = ClusterName::new(unescape(fields.next()?)?);
    let class = ClassName::new(unescape(fields.next()?)?);
    let next = Some(fields.next()?.parse().ok()?).filter(|next| *next > 0).map(ServerTime);
    fields.next().is_none().then_some(Signal::Timer { cluster, class, next })
}

/// `<about>:<by>:<why>`.
fn parse_complaint(text: &str) -> Option<Signal> {
    let mut parts = text.split(':');
    let (about, by) = (Incarnation::new(parts.next()?), Incarnation::new(parts.next()?));
    Some(Signal::Unusable { about, by, complaint: Complaint::from_text(parts.next()?)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_are_read_and_anything_else_is_none() {
        assert_eq!(parse_hint(b"members"), Some(Signal::Members));
        let dead = Signal::Dead { incarnation: "00ff".into(), before: 7, version: 9 };
        assert_eq!(parse_hint(b"dead:00ff:7:9"), Some(dead));
        let (cluster, class) = ("ma:in".into(), "Foo".into());
        let pending = Signal::Pending { cluster, class, waiting: 3, worker: "a:b".into() };
        assert_eq!(parse_hint(b"pending:ma%3Ain:Foo:3:a:b"), Some(pending));
        let timer = |next| Some(Signal::Timer { cluster: "ma:in".into(), class: "Foo".into(), next });
        assert_eq!(parse_hint(b"timer:ma%3Ain:Foo:12"), timer(Some(ServerTime(12))));
        assert_eq!(parse_hint(b"timer:ma%3Ain:Foo:0"), timer(None));
        assert_eq!(parse_hint(b"overruled:00ff"), Some(Signal::Overruled("00ff".into())));
        let long = format!("foreign:{}", "k".repeat(9000));
        assert_eq!(parse_hint(long.as_bytes()), Some(Signal::Foreign("k".repeat(MAX_EXCERPT))));
        let unusable = Signal::Unusable { about: "0a".into(), by: "0b".into(), complaint: Complaint::Silent };
        assert_eq!(parse_hint(b"unusable:0a:0b:silent"), Some(unusable));
        assert_eq!(parse_hint(b"claimed"), Some(Signal::Claimed));
        for text in [
            &b"null"[..],
            b"",
            b"dead:",
            b"dead:00ff:7",
            b"dead:00ff:7:x",
            b"dead:00ff:7:9:1",
            b"pending:main:Foo:3",
            b"timer:main:Foo",
            b"timer:main:Foo:soon",
            b"unusable:0a",
            b"unusable:0a:0b:so",
            b"overruled:",
            b"alive:00ff",
            b"\xff\xfe",
            b"{\"m\":\"destroy\"}",
            b"Members",
        ] {
            assert_eq!(parse_hint(text), None);
        }
    }
}
