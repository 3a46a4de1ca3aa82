//! The first words on a connection: who we are, and whether the server is one that we may use.
//!
//! By hand, because the redis crate keeps the server's reason for a refused password to itself.

use super::failure::{reason, text_of};
use super::reply::{number, text};
use super::socket::{Place, Socket};
use crate::ids::ServerId;
use redis::{parse_redis_value_async, Cmd, RedisError, Value};
use tokio::io::AsyncWriteExt;

/// Whether scripts may ask for the time and write afterwards (Redis 3.2 and later). It names a key, so that a node of a
/// cluster says at once whether that is its own, and a user without rights on the namespace is told so at the start.
const PROBE: &str = "return (redis.replicate_commands or redis.REDIS_VERSION_NUM) and 1 or 0";

/// Nodes of a cluster that are remembered at most.
const MOST_NODES: usize = 64;

/// A name and a password, where there are any.
#[derive(Clone, Default)]
pub(super) struct Account {
    pub username: Option<String>,
    pub password: Option<String>,
}

/// What a server said of itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Greeting {
    /// Scripts read the clock themselves.
    pub script_clock: bool,
    /// The life of the server process.
    pub server: ServerId,
    /// The policy by which it may evict keys without a TTL when its memory is full.
    pub evicts: Option<String>,
    /// It is a node of a Redis Cluster.
    pub clustered: bool,
}

/// Why a connection is not used.
#[derive(Debug)]
pub(super) enum Unfit {
    /// It broke, or the server answered with an error: to what, and which.
    Failed(&'static str, RedisError),
    /// It is no master; of whom, where it says so.
    Replica(Option<String>),
    /// It does not say its run id.
    Nameless,
}

/// AUTH, where there is a password.
pub(super) async fn login(socket: &mut Box<dyn Socket>, account: &Account) -> Result<(), RedisError> {
    let Some(password) = &account.password else { return Ok(()) };
    if let Some(username) = &account.username {
        match ask(socket, redis::cmd("AUTH").arg(username).arg(password)).await {
            // Before Redis 6 there are no users.
            Err(error) if text_of(&error).contains("wrong number of arguments") => {}
            answer => return answer.map(drop),
        }
    }
    ask(socket, redis::cmd("AUTH").arg(password)).await.map(drop)
}

/// Chooses the database and asks for what must be known, in one round trip.
pub(super) async fn greet(socket: &mut Box<dyn Socket>, db: u32, key: &str) -> Result<Greeting, Unfit> {
    let info = |section: &str| redis::cmd("INFO").arg(section).to_owned();
    let mut commands = vec![redis::cmd("ROLE"), info("server"), info("memory")];
    if db != 0 {
        commands.push(redis::cmd("SELECT").arg(db).to_owned());
    }
    commands.push(redis::cmd("EVAL").arg(PROBE).arg(1).arg(key).to_owned());
    let mut answers = ask_all(socket, &commands).await.map_err(|error| Unfit::Failed("ROLE", error))?.into_iter();
    let mut next = || answers.next().unwrap_or(Value::Nil).extract_error();
    let (role, server, memory) = (next(), next(), next());
    let selected = if db != 0 { next().map(drop) } else { Ok(()) };
    let probe = next();
    // A replica in a cluster names the node that serves the key, which is what matters.
    let probe = match probe {
        Err(error) if error.code() == Some("MOVED") => {
            // The other node has no more databases than this one.
            selected.map_err(|error| Unfit::Failed("SELECT", error))?;
            return Err(Unfit::Failed("EVAL", error));
        }
        probe => probe,
    };
    check_role(role)?;
    let server = server.map_err(|error| Unfit::Failed("INFO server", error))?;
    selected.map_err(|error| Unfit::Failed("SELECT", error))?;
    let probe = probe.map_err(|error| Unfit::Failed("EVAL", error))?;
    let server_info = info_text(server).unwrap_or_default();
    let server = field(&server_info, "run_id:").map(ServerId::new).ok_or(Unfit::Nameless)?;
    let clustered = field(&server_info, "redis_mode:") == Some("cluster");
    // Policies that begin with "volatile" touch only keys with a TTL, and there are none here.
    let memory_info = memory.ok().and_then(info_text).unwrap_or_default();
    let evicts = field(&memory_info, "maxmemory_policy:").filter(|policy| policy.starts_with("allkeys"));
    let evicts = evicts.map(str::to_owned);
    Ok(Greeting { script_clock: probe == Value::Int(1), server, evicts, clustered })
}

fn info_text(info: Value) -> Option<String> {
    match info {
        Value::VerbatimString { text, .. } => Some(text),
        info => text(info),
    }
}

/// A field that INFO tells.
fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    let value = info.lines().find_map(|line| line.strip_prefix(name))?.trim();
    (!value.is_empty()).then_some(value)
}

/// The nodes of the cluster that this server belongs to, those first that it names for the slots; none where it is no
/// node of a cluster, or does not say.
pub(super) async fn cluster_nodes(socket: &mut Box<dyn Socket>, here: &Place) -> Vec<Place> {
    let answer = ask(socket, redis::cmd("CLUSTER").arg("SLOTS")).await;
    let Ok(Value::Array(ranges)) = answer else { return Vec::new() };
    let mut nodes = Vec::new();
    for range in ranges {
        let Value::Array(parts) = range else { continue };
        for node in parts.into_iter().skip(2) {
            let Value::Array(node) = node else { continue };
            let Some(place) = node_place(node, here) else { continue };
            if nodes.len() < MOST_NODES && !nodes.contains(&place) {
                nodes.push(place);
            }
        }
    }
    nodes
}

/// A node that does not know its own name leaves it out: it is where the others are.
fn node_place(node: Vec<Value>, here: &Place) -> Option<Place> {
    let mut parts = node.into_iter();
    let host = parts.next().and_then(text).unwrap_or_default();
    let port = u16::try_from(number(parts.next()?)?).ok()?;
    match (host.as_str(), here) {
        ("" | "?", Place::Tcp { host, .. }) => Some(Place::tcp(host, port)),
        ("" | "?", Place::Unix(_)) => None,
        (host, _) => Some(Place::tcp(host, port)),
    }
}

/// A server that keeps its role to itself (a proxy, a user without that right) is taken for a master: a write would say
/// otherwise.
fn check_role(answer: Result<Value, RedisError>) -> Result<(), Unfit> {
    let parts = match answer {
        Ok(Value::Array(parts)) => parts,
        Ok(_) => return Ok(()),
        Err(error) if matches!(reason(&error), "NOPERM" | "ERR") => return Ok(()),
        Err(error) => return Err(Unfit::Failed("ROLE", error)),
    };
    let word = |at: usize| match parts.get(at) {
        Some(Value::BulkString(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        Some(Value::Int(number)) => number.to_string(),
        _ => String::new(),
    };
    match word(0).as_str() {
        "slave" => Err(Unfit::Replica(Some(format!("{}:{}", word(1), word(2))))),
        "sentinel" => Err(Unfit::Replica(None)),
        _ => Ok(()),
    }
}

/// Whether an answer to [`greet`] came from a node of a Redis Cluster.
pub(super) fn is_cluster(greeting: &Result<Greeting, Unfit>) -> bool {
    match greeting {
        Ok(greeting) => greeting.clustered,
        Err(Unfit::Failed(_, error)) => matches!(error.code(), Some("MOVED" | "CLUSTERDOWN")),
        Err(_) => false,
    }
}

/// One command and its answer. An error of the server is an error.
pub(super) async fn ask(socket: &mut Box<dyn Socket>, command: &Cmd) -> Result<Value, RedisError> {
    let answers = ask_all(socket, std::slice::from_ref(command)).await?;
    answers.into_iter().next().unwrap_or(Value::Nil).extract_error()
}

/// Writes all, then reads the answers. Errors of the server stand among them.
async fn ask_all(socket: &mut Box<dyn Socket>, commands: &[Cmd]) -> Result<Vec<Value>, RedisError> {
    let text: Vec<u8> = commands.iter().flat_map(Cmd::get_packed_command).collect();
    socket.write_all(&text).await?;
    socket.flush().await?;
    let (mut decoder, mut answers) = (Default::default(), Vec::with_capacity(commands.len()));
    for _ in commands {
        match parse_redis_value_async(&mut decoder, socket).await {
            Ok(answer) => answers.push(answer),
            // A server that has no room for one more client says so, and closes.
            Err(error) => return Err(answers.pop().and_then(|last| last.extract_error().err()).unwrap_or(error)),
        }
    }
    Ok(answers)
}
