//! A supervised connection for commands: dialed again without end, refusing at once while it is down.

use super::dial::Dialer;
use super::failure::{foreign, late, translate};
use super::reply::text;
use super::retry::Retry;
use crate::coordination::{CoordinationError, CoordinationResult};
use crate::ids::ServerId;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{AsyncConnectionConfig, Cmd, ErrorKind, RedisError, ServerErrorKind, Value};
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::{debug, info};

/// Dialing, AUTH, SELECT and the first answer.
pub const CONNECT_DEADLINE: Duration = Duration::from_secs(2);
/// Whether scripts may ask for the time and write afterwards (Redis 3.2 and later); also the proof that the server answers.
const PROBE: &str = "return (redis.replicate_commands or redis.REDIS_VERSION_NUM) and 1 or 0";
/// Commands that wait for the socket; more wait in their callers.
const QUEUE: usize = 256;

/// A connection that answered.
#[derive(Clone)]
pub struct Live {
    connection: MultiplexedConnection,
    number: u64,
    /// Scripts read the clock themselves.
    pub script_clock: bool,
    pub local: Option<IpAddr>,
    /// The life of the server process that this leads to.
    pub server: ServerId,
}

#[derive(Clone)]
enum State {
    /// Not dialed yet.
    New,
    Up(Live),
    Down(CoordinationError),
    Closed,
}

type Driver = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The handle and the task share this.
pub struct Link {
    dialer: Arc<Dialer>,
    state: watch::Sender<State>,
}

impl Link {
    pub fn new(dialer: Arc<Dialer>) -> Self {
        Self { dialer, state: watch::Sender::new(State::New) }
    }

    /// The connection, or at once why there is none.
    pub fn live(&self) -> CoordinationResult<Live> {
        match &*self.state.borrow() {
            State::Up(live) => Ok(live.clone()),
            State::Down(error) => Err(error.clone()),
            State::New => Err(self.not_there("is not open")),
            State::Closed => Err(self.not_there("is closed")),
        }
    }

    fn not_there(&self, why: &str) -> CoordinationError {
        CoordinationError::Unavailable(format!("Redis at {}: the connection {why}", self.dialer.place()))
    }

    /// Waits for the end of the first attempt to connect.
    pub async fn settled(&self) -> CoordinationResult<Live> {
        self.reaches(|state| !matches!(state, State::New)).await;
        self.live()
    }

    /// Waits until it is up (or closed).
    pub async fn up(&self) {
        self.reaches(|state| matches!(state, State::Up(_) | State::Closed)).await;
    }

    async fn reaches(&self, condition: impl Fn(&State) -> bool) {
        let mut states = self.state.subscribe();
        let _ = states.wait_for(condition).await;
    }

    /// Sends a command. `Ok(Err)` is the server's own error. A late answer ends the connection: what comes after it
    /// would be late as well.
    pub async fn send(
        &self,
        live: &Live,
        command: &Cmd,
        what: &str,
        deadline: Duration,
    ) -> CoordinationResult<Result<Value, RedisError>> {
        let mut connection = live.connection.clone();
        let answer = match timeout(deadline, connection.req_packed_command(command)).await {
            Ok(answer) => answer.and_then(Value::extract_error),
            Err(_) => {
                let error = late(self.dialer.place(), what, deadline);
                self.give_up(live.number, &error);
                return Err(error);
            }
        };
        match answer {
            Err(error) if matches!(error.kind(), ErrorKind::Io | ErrorKind::Parse) => {
                let error = translate(self.dialer.place(), what, &error);
                self.give_up(live.number, &error);
                Err(error)
            }
            answer => Ok(answer),
        }
    }

    /// Marks this connection as lost, unless there is a newer one.
    fn give_up(&self, number: u64, error: &CoordinationError) {
        self.state.send_if_modified(|state| match state {
            State::Up(live) if live.number == number => {
                *state = State::Down(error.clone());
                true
            }
            _ => false,
        });
    }

    /// Ends it for good.
    pub fn close(&self) {
        self.state.send_replace(State::Closed);
    }

    /// Back to the beginning after a first attempt that failed.
    pub fn reset(&self) {
        self.state.send_if_modified(|state| {
            let closed = matches!(state, State::Closed);
            if !closed {
                *state = State::New;
            }
            !closed
        });
    }

    /// Keeps the connection up until [`Link::close`]. One task runs this.
    pub async fn supervise(self: Arc<Self>) {
        let mut retry = Retry::new();
        for number in 1.. {
            match timeout(CONNECT_DEADLINE, self.establish(number))
                .await
                .unwrap_or_else(|_| Err(late(self.dialer.place(), "connecting", CONNECT_DEADLINE)))
            {
                Ok((live, driver)) => {
                    debug!(place = self.dialer.place(), number, "connected to Redis");
                    retry = Retry::new();
                    if !self.publish(State::Up(live)) {
                        return;
                    }
                    self.drive(number, driver).await;
                }
                Err(error) => {
                    if !self.publish(State::Down(error)) {
                        return;
                    }
                }
            }
            tokio::select! {
                _ = sleep(retry.pause()) => {}
                () = self.reaches(|state| matches!(state, State::Closed)) => return,
            }
        }
    }

    /// Runs the connection until it breaks or is given up.
    async fn drive(&self, number: u64, driver: Driver) {
        tokio::select! {
            () = driver => self.give_up(number, &self.not_there("was lost")),
            () = self.reaches(|state| !matches!(state, State::Up(_))) => {}
        }
        info!(place = self.dialer.place(), "the connection to Redis was lost");
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

    async fn establish(&self, number: u64) -> CoordinationResult<(Live, Driver)> {
        let dialed = self.dialer.dial().await?;
        let config = AsyncConnectionConfig::new().set_response_timeout(None).set_pipeline_buffer_size(QUEUE);
        let failed = |error: RedisError| translate(self.dialer.place(), "connecting", &error);
        let (mut connection, driver) =
            MultiplexedConnection::new_with_config(&self.dialer.login(), dialed.socket, config)
                .await
                .map_err(failed)?;
        let mut driver: Driver = Box::pin(driver);
        let mut probe = redis::cmd("EVAL");
        probe.arg(PROBE).arg(0);
        let answer = tokio::select! {
            answer = connection.req_packed_command(&probe) => answer.and_then(Value::extract_error).map_err(failed)?,
            () = &mut driver => return Err(self.not_there("was lost")),
        };
        let script_clock = answer == Value::Int(1);
        let info = redis::cmd("INFO").arg("server").to_owned();
        let answer = tokio::select! {
            answer = connection.req_packed_command(&info) => answer.and_then(Value::extract_error).map_err(failed)?,
            () = &mut driver => return Err(self.not_there("was lost")),
        };
        let server = run_id(answer).ok_or_else(|| foreign(self.dialer.place(), "INFO server"))?;
        Ok((Live { connection, number, script_clock, local: dialed.local, server }, driver))
    }
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

/// Whether the server wants the whole text of a script.
pub fn is_no_script(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}
