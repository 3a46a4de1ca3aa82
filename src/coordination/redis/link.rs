//! A supervised connection for commands: dialed again without end, refusing at once while it is down.

use super::dial::{Dialer, Entered};
use super::failure::{is_broken, late, translate};
use super::greeting::Greeting;
use super::retry::Retry;
use super::socket::Place;
use super::whereabouts::Target;
use crate::coordination::{CoordinationError, CoordinationResult};
use crate::ids::ServerId;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{AsyncConnectionConfig, Cmd, ErrorKind, RedisConnectionInfo, RedisError, ServerErrorKind, Value};
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::{debug, info};

/// A connection that lasted this long was a good one: after it the first attempt is made at once again.
pub(super) const PROVEN: Duration = Duration::from_secs(1);
/// Commands that wait for the socket; more wait in their callers.
const QUEUE: usize = 256;

/// A connection that answered.
#[derive(Clone)]
pub(super) struct Live {
    connection: MultiplexedConnection,
    number: u64,
    target: Target,
    /// Scripts read the clock themselves.
    pub script_clock: bool,
    pub local: Option<IpAddr>,
    /// The life of the server process that this leads to.
    pub server: ServerId,
    /// Its policy, where that allows it to evict our keys.
    pub evicts: Option<String>,
}

impl Live {
    /// The server that it leads to.
    pub(super) fn place(&self) -> &Place {
        &self.target.place
    }
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
pub(super) struct Link {
    dialer: Arc<Dialer>,
    state: watch::Sender<State>,
}

impl Link {
    pub(super) fn new(dialer: Arc<Dialer>) -> Self {
        Self { dialer, state: watch::Sender::new(State::New) }
    }

    /// The connection, or at once why there is none.
    pub(super) fn live(&self) -> CoordinationResult<Live> {
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
    pub(super) async fn settled(&self) -> CoordinationResult<Live> {
        self.reaches(|state| !matches!(state, State::New)).await;
        self.live()
    }

    /// Waits until it is up (or closed).
    pub(super) async fn up(&self) {
        self.reaches(|state| matches!(state, State::Up(_) | State::Closed)).await;
    }

    async fn reaches(&self, condition: impl Fn(&State) -> bool) {
        let mut states = self.state.subscribe();
        let _ = states.wait_for(condition).await;
    }

    /// Sends a command. `Ok(Err)` is the server's own error. A late answer ends the connection: what comes after it
    /// would be late as well.
    pub(super) async fn send(
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
                let error = late(live.place(), what, deadline);
                self.give_up(live.number, &error);
                return Err(error);
            }
        };
        match answer {
            Err(error) if is_broken(&error) => {
                let error = translate(live.place(), what, &error);
                self.give_up(live.number, &error);
                Err(error)
            }
            answer => Ok(answer),
        }
    }

    /// What answers there is no master: all connections of this coordinator are dialed again.
    pub(super) fn leave(&self, live: &Live, error: &CoordinationError) {
        self.dialer.whereabouts().doubt(&live.target);
        self.give_up(live.number, error);
    }

    /// Another node has our keys: all connections of this coordinator are dialed again, there.
    pub(super) fn follow(&self, live: &Live, place: Place, error: &CoordinationError) {
        self.dialer.whereabouts().redirect(&live.target, place);
        self.give_up(live.number, error);
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
    pub(super) fn close(&self) {
        self.state.send_replace(State::Closed);
    }

    /// Back to the beginning after a first attempt that failed.
    pub(super) fn reset(&self) {
        self.state.send_if_modified(|state| {
            let closed = matches!(state, State::Closed);
            if !closed {
                *state = State::New;
            }
            !closed
        });
    }

    /// Keeps the connection up until [`Link::close`]. One task runs this.
    pub(super) async fn supervise(self: Arc<Self>) {
        let mut retry = Retry::new();
        for number in 1.. {
            match self.establish(number).await {
                Ok((live, driver)) => {
                    debug!(place = %live.place(), number, "connected to Redis");
                    let since = Instant::now();
                    if !self.publish(State::Up(live.clone())) {
                        return;
                    }
                    self.drive(&live, driver).await;
                    if since.elapsed() >= PROVEN {
                        retry = Retry::new();
                    }
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

    /// Runs the connection until it breaks, is given up, or Redis is elsewhere.
    async fn drive(&self, live: &Live, driver: Driver) {
        let lost = |why| CoordinationError::Unavailable(format!("Redis at {}: the connection {why}", live.place()));
        tokio::select! {
            () = driver => self.give_up(live.number, &lost("was lost")),
            () = self.dialer.whereabouts().moved(&live.target) => {
                self.give_up(live.number, &lost("was left: the master is elsewhere"));
            }
            () = self.reaches(|state| !matches!(state, State::Up(_))) => {}
        }
        info!(place = %live.place(), "the connection to Redis was lost");
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
        let Entered { socket, local, target, greeting } = self.dialer.connect().await?;
        let config = AsyncConnectionConfig::new().set_response_timeout(None).set_pipeline_buffer_size(QUEUE);
        // It is authenticated and its database chosen: nothing is sent here.
        let login = RedisConnectionInfo::default().set_skip_set_lib_name();
        let (connection, driver) = MultiplexedConnection::new_with_config(&login, socket, config)
            .await
            .map_err(|error| translate(&target.place, "connecting", &error))?;
        let Greeting { script_clock, server, evicts, .. } = greeting;
        let live = Live { connection, number, target, script_clock, local, server, evicts };
        Ok((live, Box::pin(driver)))
    }
}

/// Whether the server wants the whole text of a script.
pub(super) fn is_no_script(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}
