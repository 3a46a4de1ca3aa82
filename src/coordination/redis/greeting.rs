//! The first words on a connection: who we are, and whether the server is one that we may use.
//!
//! By hand, because the redis crate keeps the server's reason for a refused password to itself.

use super::failure::{reason, text_of};
use super::reply::text;
use super::socket::Socket;
use crate::ids::ServerId;
use redis::{parse_redis_value_async, Cmd, RedisError, Value};
use tokio::io::AsyncWriteExt;

/// Whether scripts may ask for the time and write afterwards (Redis 3.2 and later). It names a key, so that a node of a
/// cluster says at once whether that is its own, and a user without rights on the namespace is told so at the start.
const PROBE: &str = "return (redis.replicate_commands or redis.REDIS_VERSION_NUM) and 1 or 0";

/// A name and a password, where there are any.
#[derive(Clone, Default)]
pub struct Account {
    pub username: Option<String>,
    pub password: Option<String>,
}

/// What a server said of itself.
#[derive(Debug, PartialEq, Eq)]
pub struct Greeting {
    /// Scripts read the clock themselves.
    pub script_clock: bool,
    /// The life of the server process.
    pub server: ServerId,
}

/// Why a connection is not used.
#[derive(Debug)]
pub enum Unfit {
    /// It broke, or the server answered with an error: to what, and which.
    Failed(&'static str, RedisError),
    /// It is no master; of whom, where it says so.
    Replica(Option<String>),
    /// It does not say its run id.
    Nameless,
}

/// AUTH, where there is a password.
pub async fn login(socket: &mut Box<dyn Socket>, account: &Account) -> Result<(), RedisError> {
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
pub async fn greet(socket: &mut Box<dyn Socket>, db: u32, key: &str) -> Result<Greeting, Unfit> {
    let mut commands = vec![redis::cmd("ROLE"), redis::cmd("INFO").arg("server").to_owned()];
    if db != 0 {
        commands.push(redis::cmd("SELECT").arg(db).to_owned());
    }
    commands.push(redis::cmd("EVAL").arg(PROBE).arg(1).arg(key).to_owned());
    let mut answers = ask_all(socket, &commands).await.map_err(|error| Unfit::Failed("ROLE", error))?.into_iter();
    let mut next = || answers.next().unwrap_or(Value::Nil).extract_error();
    check_role(next())?;
    let server = next().map(run_id).map_err(|error| Unfit::Failed("INFO server", error))?;
    if db != 0 {
        next().map_err(|error| Unfit::Failed("SELECT", error))?;
    }
    let probe = next().map_err(|error| Unfit::Failed("EVAL", error))?;
    let server = server.ok_or(Unfit::Nameless)?;
    Ok(Greeting { script_clock: probe == Value::Int(1), server })
}

/// The run id that INFO tells.
fn run_id(info: Value) -> Option<ServerId> {
    let info = match info {
        Value::VerbatimString { text, .. } => text,
        info => text(info)?,
    };
    let id = info.lines().find_map(|line| line.strip_prefix("run_id:"))?.trim();
    (!id.is_empty()).then(|| ServerId::new(id))
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

/// One command and its answer. An error of the server is an error.
pub async fn ask(socket: &mut Box<dyn Socket>, command: &Cmd) -> Result<Value, RedisError> {
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
