//! Which server the sentinels name as the master, and hearing from them when it is another.

use super::failure::{reason, text_of, translate};
use super::greeting::{ask, login, Account};
use super::retry::Retry;
use super::socket::{open, Place, Socket};
use super::tls::Tls;
use super::whereabouts::Whereabouts;
use crate::config::SentinelConfig;
use crate::coordination::{CoordinationError, CoordinationResult};
use redis::{parse_redis_value_async, Value};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tracing::{debug, info};

/// Dialing a sentinel, or one answer of it: another may know sooner.
const ASK_DEADLINE: Duration = Duration::from_millis(500);
/// The followed sentinel is asked this often, whatever it announces: it names the replica that it promotes up to a second
/// before it announces it; a message may be lost, a sentinel may hang.
const POLL: Duration = Duration::from_millis(250);
/// Published by sentinels when the master is another.
const SWITCH: &str = "+switch-master";

type Link = Box<dyn Socket>;

/// What a sentinel says.
struct Word {
    place: Place,
    /// Of its configuration; absent where it does not say.
    epoch: Option<u64>,
}

/// The sentinels of one master.
pub(super) struct Sentinels {
    name: String,
    nodes: Vec<Place>,
    account: Account,
    tls: Option<Result<Tls, String>>,
    /// Who answered last is asked first.
    first: AtomicUsize,
    whereabouts: Arc<Whereabouts>,
}

impl Sentinels {
    pub(super) fn new(config: &SentinelConfig, whereabouts: Arc<Whereabouts>) -> Self {
        Self {
            name: config.name.clone(),
            nodes: config.nodes.iter().map(|node| Place::tcp(&node.host, node.port)).collect(),
            account: Account { username: config.username.clone(), password: config.password.clone() },
            tls: config.tls.as_ref().map(Tls::new),
            first: AtomicUsize::new(0),
            whereabouts,
        }
    }

    /// Asks in turn until one names a master that is not known to be stale and is not `avoided` (it was just tried in
    /// vain); else the best that was said counts.
    pub(super) async fn find(&self, avoided: Option<&Place>) -> CoordinationResult<()> {
        let (mut second_best, mut failure) = (None::<Word>, None);
        for index in self.in_turn() {
            match self.consult(&self.nodes[index]).await {
                Ok(word) if Some(&word.place) != avoided && !self.whereabouts.is_stale(word.epoch) => {
                    self.first.store(index, Ordering::Relaxed);
                    self.adopt(word);
                    return Ok(());
                }
                Ok(word) if second_best.as_ref().is_some_and(|best| best.epoch >= word.epoch) => {}
                Ok(word) => second_best = Some(word),
                Err(error) => failure = Some(error),
            }
        }
        match (second_best, failure) {
            (Some(word), _) => {
                self.adopt(word);
                Ok(())
            }
            (None, Some(error)) => Err(error),
            (None, None) => {
                Err(CoordinationError::Refused("Redis: Expected at least one sentinel in redis.sentinels".into()))
            }
        }
    }

    fn in_turn(&self) -> impl Iterator<Item = usize> {
        let (first, count) = (self.first.load(Ordering::Relaxed), self.nodes.len());
        (0..count).map(move |step| (first + step) % count)
    }

    fn adopt(&self, word: Word) {
        let text = word.place.to_string();
        if self.whereabouts.learn(word.place, word.epoch) {
            info!(master = self.name, place = text, "the sentinels name the master");
        }
    }

    async fn consult(&self, node: &Place) -> CoordinationResult<Word> {
        let mut link = self.enter(node).await?;
        self.hear_word(node, &mut link).await
    }

    /// Dials and authenticates.
    async fn enter(&self, node: &Place) -> CoordinationResult<Link> {
        let tls = match &self.tls {
            Some(Ok(tls)) => Some(tls),
            Some(Err(text)) => return Err(CoordinationError::Refused(format!("The sentinel at {node}: {text}"))),
            None => None,
        };
        let entering = async {
            let mut link = match open(node, tls).await {
                Ok(dialed) => dialed.socket,
                Err(error) => return Err(unavailable(node, &format!("cannot connect: {error}"))),
            };
            match login(&mut link, &self.account).await {
                Ok(()) => Ok(link),
                Err(error) => Err(translate(&format!("{node} (sentinel)"), "AUTH", &error)),
            }
        };
        timeout(ASK_DEADLINE, entering).await.unwrap_or_else(|_| Err(unavailable(node, "does not answer")))
    }

    async fn hear_word(&self, node: &Place, link: &mut Link) -> CoordinationResult<Word> {
        let asking = async {
            let mut address = redis::cmd("SENTINEL");
            let answer = ask(link, address.arg("get-master-addr-by-name").arg(&self.name)).await?;
            let mut state = redis::cmd("SENTINEL");
            let epoch = ask(link, state.arg("master").arg(&self.name)).await.ok().and_then(|state| epoch(&state));
            Ok((answer, epoch))
        };
        match timeout(ASK_DEADLINE, asking).await {
            Ok(Ok((answer, epoch))) => match place(&answer) {
                Some(place) => Ok(Word { place, epoch }),
                None => Err(CoordinationError::Refused(format!(
                    "The sentinel at {node} knows no master named {:?}",
                    self.name
                ))),
            },
            Ok(Err(error)) => match reason(&error) {
                "IDONTKNOW" => Err(unavailable(node, &text_of(&error))),
                _ => Err(translate(&format!("{node} (sentinel)"), "SENTINEL", &error)),
            },
            Err(_) => Err(unavailable(node, "does not answer")),
        }
    }

    /// Stays with one sentinel after the other, and tells [`Whereabouts`] what it says. Never ends.
    pub(super) async fn follow(self: Arc<Self>) {
        let mut retry = Retry::new();
        loop {
            for index in self.in_turn() {
                let node = &self.nodes[index];
                let error = self.stay(node, &mut retry).await;
                debug!(place = %node, %error, "a sentinel is not followed any more");
            }
            sleep(retry.pause().max(ASK_DEADLINE / 5)).await;
        }
    }

    /// Returns why it ended.
    async fn stay(&self, node: &Place, retry: &mut Retry) -> CoordinationError {
        let (mut asking, mut hearing) = match (self.enter(node).await, self.enter(node).await) {
            (Ok(asking), Ok(hearing)) => (asking, hearing),
            (Err(error), _) | (_, Err(error)) => return error,
        };
        let switched = Notify::new();
        let keep = async {
            loop {
                match self.hear_word(node, &mut asking).await {
                    Ok(word) if self.whereabouts.is_stale(word.epoch) => {
                        return unavailable(node, "is behind the others")
                    }
                    Ok(word) => self.adopt(word),
                    Err(error) => return error,
                }
                *retry = Retry::new();
                let _ = timeout(POLL, switched.notified()).await;
            }
        };
        tokio::select! {
            error = keep => error,
            error = self.hear(node, &mut hearing, &switched) => error,
        }
    }

    /// What is heard is only a reason to ask at once.
    async fn hear(&self, node: &Place, link: &mut Link, switched: &Notify) -> CoordinationError {
        let subscribe = redis::cmd("SUBSCRIBE").arg(SWITCH).get_packed_command();
        let writing = async {
            link.write_all(&subscribe).await?;
            link.flush().await
        };
        if let Err(error) = writing.await {
            return unavailable(node, &error.to_string());
        }
        let mut decoder = Default::default();
        loop {
            match parse_redis_value_async(&mut decoder, link).await.and_then(Value::extract_error) {
                Ok(_) => switched.notify_one(),
                Err(error) => return translate(&format!("{node} (sentinel)"), "SUBSCRIBE", &error),
            }
        }
    }
}

fn unavailable(node: &Place, why: &str) -> CoordinationError {
    CoordinationError::Unavailable(format!("The sentinel at {node}: {why}"))
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

/// Of SENTINEL get-master-addr-by-name: host and port, or nothing.
fn place(answer: &Value) -> Option<Place> {
    let Value::Array(parts) = answer else { return None };
    let [host, port] = parts.as_slice() else { return None };
    Some(Place::tcp(text(host)?, text(port)?.parse().ok()?))
}

/// Of SENTINEL master: names and values in turn.
fn epoch(answer: &Value) -> Option<u64> {
    let Value::Array(parts) = answer else { return None };
    let pair = parts.chunks(2).find(|pair| text(&pair[0]) == Some("config-epoch"))?;
    text(pair.get(1)?)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Value {
        Value::Array(words.iter().map(|word| Value::BulkString(word.as_bytes().to_vec())).collect())
    }

    #[test]
    fn answers_of_sentinels_are_read_and_foreign_ones_are_none() {
        assert_eq!(place(&words(&["10.0.0.1", "6379"])), Some(Place::tcp("10.0.0.1", 6379)));
        for answer in [Value::Nil, words(&[]), words(&["10.0.0.1"]), words(&["h", "x"]), words(&["h", "70000"])] {
            assert_eq!(place(&answer), None);
        }
        assert_eq!(epoch(&words(&["name", "m", "config-epoch", "7", "quorum", "2"])), Some(7));
        assert_eq!(epoch(&words(&["name", "config-epoch", "config-epoch"])), None);
        assert_eq!(epoch(&Value::Nil), None);
    }
}
