//! A new connection: to whom, how, and whether it may be used.

use super::failure::{foreign, judge, late, translate, Verdict};
use super::greeting::{cluster_nodes, greet, is_cluster, login, Account, Greeting, Unfit};
use super::sentinel::Sentinels;
use super::socket::{open, Dialed, Place, Socket};
use super::tls::Tls;
use super::whereabouts::{Target, Whereabouts};
use crate::config::RedisConfig;
use crate::coordination::{CoordinationError, CoordinationResult};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::timeout;

/// Dialing, AUTH, SELECT and the first answer.
pub(super) const CONNECT_DEADLINE: Duration = Duration::from_secs(2);
/// How often one attempt to connect follows the news that Redis is elsewhere.
const TURNS: usize = 5;

/// A connection to a master that takes our commands.
pub(super) struct Entered {
    pub socket: Box<dyn Socket>,
    /// Our address on it; none for a Unix socket.
    pub local: Option<IpAddr>,
    pub target: Target,
    pub greeting: Greeting,
}

/// Where Redis is, and who we are there.
pub(super) struct Dialer {
    place: String,
    account: Account,
    db: u32,
    /// Of the namespace: tells which node of a cluster is ours.
    key: String,
    tls: Option<Result<Tls, String>>,
    whereabouts: Arc<Whereabouts>,
    sentinels: Option<Arc<Sentinels>>,
    /// The last attempt failed there.
    avoided: Mutex<Option<Place>>,
}

impl Dialer {
    pub(super) fn new(config: &RedisConfig, key: String) -> Self {
        let origins = match (&config.sentinel, &config.path) {
            (Some(_), _) => Vec::new(),
            (None, Some(path)) => vec![Place::Unix(path.clone())],
            (None, None) if config.nodes.is_empty() => vec![Place::tcp(&config.host, config.port)],
            (None, None) => config.nodes.iter().map(|node| Place::tcp(&node.host, node.port)).collect(),
        };
        let place = match &config.sentinel {
            Some(sentinel) => format!("the master {:?} of its sentinels", sentinel.name),
            None => origins.iter().map(Place::to_string).collect::<Vec<_>>().join(", "),
        };
        let whereabouts = Arc::new(Whereabouts::new(origins));
        let sentinels =
            config.sentinel.as_ref().map(|sentinel| Arc::new(Sentinels::new(sentinel, whereabouts.clone())));
        Self {
            place,
            account: Account { username: config.username.clone(), password: config.password.clone() },
            db: config.db,
            key,
            tls: config.tls.as_ref().map(Tls::new),
            whereabouts,
            sentinels,
            avoided: Mutex::default(),
        }
    }

    /// What the configuration says, for errors: host:port, path, or the name of the master.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    pub(super) fn whereabouts(&self) -> &Whereabouts {
        &self.whereabouts
    }

    /// To be followed as long as there are connections.
    pub(super) fn sentinels(&self) -> Option<&Arc<Sentinels>> {
        self.sentinels.as_ref()
    }

    /// One attempt at each place that is known, with a deadline for each. News that Redis is elsewhere ends it early and leads there.
    pub(super) async fn connect(&self) -> CoordinationResult<Entered> {
        let what = if self.tls.is_some() { "connecting over TLS" } else { "connecting" };
        let mut failure = late(&self.place, what, CONNECT_DEADLINE);
        let (mut turns, mut failed) = (0, Vec::new());
        while turns < TURNS {
            let target = self.seek().await?;
            let entered = tokio::select! {
                () = self.whereabouts.moved(&target) => {
                    turns += 1;
                    continue;
                }
                entered = timeout(CONNECT_DEADLINE, self.enter(&target)) => entered,
            };
            failure = match entered {
                Ok(Ok(entered)) => {
                    self.avoid(None);
                    return Ok(entered);
                }
                Ok(Err(Refusal { moved: Some(place), error })) => {
                    self.whereabouts.redirect(&target, place);
                    failure = error;
                    turns += 1;
                    continue;
                }
                Ok(Err(Refusal { moved: None, error })) => error,
                Err(_) => late(&target.place, what, CONNECT_DEADLINE),
            };
            self.whereabouts.fail(&target);
            self.avoid(Some(target.place.clone()));
            failed.push(target.place);
            // Each other place is tried once.
            let untried = |target: &Target| self.sentinels.is_none() && !failed.contains(&target.place);
            if !self.whereabouts.target().as_ref().is_some_and(untried) {
                break;
            }
        }
        Err(failure)
    }

    async fn seek(&self) -> CoordinationResult<Target> {
        if let Some(sentinels) = &self.sentinels {
            let avoided = self.avoided.lock().unwrap_or_else(PoisonError::into_inner).clone();
            sentinels.find(avoided.as_ref()).await?;
        }
        let nowhere = || {
            CoordinationError::Unavailable(format!(
                "Redis at {}: no sentinel or cluster node has named its address",
                self.place
            ))
        };
        self.whereabouts.target().ok_or_else(nowhere)
    }

    fn avoid(&self, place: Option<Place>) {
        *self.avoided.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }

    async fn enter(&self, target: &Target) -> Result<Entered, Refusal> {
        let place = &target.place;
        let tls = match &self.tls {
            Some(Ok(tls)) => Some(tls),
            Some(Err(text)) => return Err(CoordinationError::Refused(format!("Redis at {place}: {text}")).into()),
            None => None,
        };
        let Dialed { mut socket, local } = open(place, tls)
            .await
            .map_err(|error| CoordinationError::Unavailable(format!("Redis at {place}: cannot connect: {error}")))?;
        let unfit = |unfit| refusal(place, unfit);
        login(&mut socket, &self.account).await.map_err(|error| unfit(Unfit::Failed("AUTH", error)))?;
        let greeting = greet(&mut socket, self.db, &self.key).await;
        if self.sentinels.is_none() && is_cluster(&greeting) {
            let nodes = cluster_nodes(&mut socket, place).await;
            if !nodes.is_empty() {
                self.whereabouts.learn_nodes(nodes);
            }
        }
        let greeting = greeting.map_err(unfit)?;
        Ok(Entered { socket, local, target: target.clone(), greeting })
    }
}

/// Why a connection is not used, and who else was named.
struct Refusal {
    error: CoordinationError,
    moved: Option<Place>,
}

impl From<CoordinationError> for Refusal {
    fn from(error: CoordinationError) -> Self {
        Self { error, moved: None }
    }
}

fn refusal(place: &Place, unfit: Unfit) -> Refusal {
    match unfit {
        Unfit::Failed(what, error) => {
            let moved = match judge(&error, place) {
                Verdict::Moved(place) => Some(place),
                _ => None,
            };
            Refusal { error: translate(place, what, &error), moved }
        }
        Unfit::Replica(Some(master)) => CoordinationError::Unavailable(format!(
            "Redis at {place}: the server is a replica (of {master}) and accepts no writes"
        ))
        .into(),
        Unfit::Nameless => foreign(place, "INFO server").into(),
        Unfit::Replica(None) => CoordinationError::Refused(format!(
            "Redis at {place}: the server is a sentinel. Put its address into redis.sentinels or into a redis-sentinel:// URL"
        ))
        .into(),
    }
}
