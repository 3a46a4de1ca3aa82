//! What a broker is told at its start: the options after JavaScript has checked them, as one JSON text.

use serde::Deserialize;
use std::fmt;
use std::time::Duration;

/// What a broker proves itself by; as one JSON text, apart from the rest, so that nobody prints it by accident.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Credentials {
    /// The first proves, all are accepted; none: the namespace's own.
    pub secrets: Vec<Hidden>,
    /// `None`: connections between brokers are in the clear.
    pub tls: Option<TlsConfig>,
}

/// PEM texts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    pub key: Hidden,
    pub cert: String,
    /// Authorities of the peers' certificates.
    pub ca: String,
}

/// A text that is never shown.
#[derive(Clone, Deserialize, PartialEq, Eq)]
#[serde(transparent)]
pub struct Hidden(pub String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// Everything in milliseconds unless the name says otherwise.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BrokerConfig {
    pub id: String,
    pub ns: String,
    pub clustername: String,
    pub coordinator: CoordinatorConfig,
    pub listen: Option<Address>,
    pub advertise: Option<Address>,
    pub rpc_timeout: u64,
    /// 0: no limit.
    pub ttl: u64,
    pub routes: RoutesConfig,
    pub retries: RetriesConfig,
    pub socket_timeout: u64,
    /// Other brokers that this one is connected to at most.
    pub max_peers: usize,
    pub sockets: Sockets,
    /// Brokers of one host reach each other over a Unix socket.
    pub local_sockets: bool,
    /// 0: never look for dead brokers.
    pub health_check_interval: u64,
    pub lease: LeaseConfig,
    pub on_redis_loss: OnRedisLoss,
    pub stall: StallConfig,
    pub max_message_bytes: usize,
    /// How long `destroy()` waits for `onDestroy`.
    pub destroy_timeout: u64,
    pub process: Process,
}

/// The process that a broker is in, as people are shown it.
#[derive(Clone, Default, PartialEq, Eq, Debug, Deserialize)]
pub struct Process {
    /// The name of its machine.
    pub host: String,
    pub pid: u32,
    /// Of this package.
    pub version: String,
}

/// Who serves the sockets that carry messages.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub enum Sockets {
    /// The event loop of the broker's JavaScript, where that can be had.
    Loop,
    /// Tasks of the core's own threads.
    Task,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum CoordinatorConfig {
    /// The embedded coordinator of this JavaScript environment with this name.
    Memory {
        name: String,
    },
    Redis(Box<RedisConfig>),
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RedisConfig {
    pub host: String,
    pub port: u16,
    /// A Unix socket; goes before host and port.
    pub path: Option<String>,
    pub username: Option<String>,
    pub password: Option<String>,
    pub db: u32,
    /// Absent: plain TCP.
    pub tls: Option<RedisTlsConfig>,
    /// The server is the master that they name; then host, port and path say nothing.
    pub sentinel: Option<SentinelConfig>,
    /// Nodes of a Redis Cluster, tried in turn until one says which of them serves the namespace; then host and port say
    /// nothing.
    pub nodes: Vec<NodeConfig>,
}

/// Certificates and keys are PEM.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RedisTlsConfig {
    /// Whom we trust.
    pub ca: Vec<String>,
    /// Who we are, with the intermediate certificates.
    pub cert: Option<String>,
    pub key: Option<String>,
    /// The name that the server's certificate must have, instead of the host's.
    pub servername: Option<String>,
    /// Whether the server's certificate is checked at all.
    pub reject_unauthorized: bool,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SentinelConfig {
    /// What the sentinels call the master.
    pub name: String,
    /// Asked in turn.
    pub nodes: Vec<NodeConfig>,
    pub username: Option<String>,
    pub password: Option<String>,
    pub tls: Option<RedisTlsConfig>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    pub host: String,
    pub port: u16,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Address {
    pub host: Option<String>,
    pub port: Option<u16>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RoutesConfig {
    pub max: usize,
    pub max_age: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RetriesConfig {
    pub initial_interval: u64,
    pub max_interval: u64,
    pub duration: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaseConfig {
    pub ttl: u64,
    pub renew: u64,
    /// Nobody is taken for dead before its lease has run out: neither by this broker nor this broker itself.
    pub strict: bool,
}

/// What becomes of the workers here while the coordinator does not answer, once the lease may have run out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnRedisLoss {
    /// They get nothing until it answers.
    Suspend,
    /// They go on, at the risk that others have made them again meanwhile.
    Serve,
}

/// When an event loop that stands still is told of.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StallConfig {
    pub after: u64,
    pub action: StallAction,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StallAction {
    Report,
    /// Ends the process.
    Abort,
}

impl LeaseConfig {
    pub fn ttl(&self) -> Duration {
        Duration::from_millis(self.ttl)
    }
}
