//! Two connections and the scripts that run on them: how one operation is sent and how all of it starts.

use super::answer;
use super::dial::{Dialer, CONNECT_DEADLINE};
use super::failure::{foreign, judge, reason, translate, Verdict};
use super::link::{is_no_script, Link, Live};
use super::script::{self, Arguments, Lua};
use super::signals::Signals;
use super::Clock;
use crate::config::RedisConfig;
use crate::coordination::keys::{Channels, Keys};
use crate::coordination::{CoordinationError, CoordinationResult};
use redis::{Cmd, RedisError, Value};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// An operation that a user waits for.
pub(super) const COMMAND_DEADLINE: Duration = Duration::from_secs(2);
/// A renewal: shorter than two renewals at the default are apart, so that a dead connection is found and dialed again
/// long before the lease runs out.
const RENEW_DEADLINE: Duration = Duration::from_millis(750);

/// Between two tries of a command that the server cannot run at the moment.
const AGAIN: Duration = Duration::from_millis(25);
/// What must be left for the answer then; else the last error is worth more than that it came late.
const FOR_ANSWER: Duration = Duration::from_millis(100);

/// What the coordinator is made of. Dropping it ends its connections.
pub(super) struct Client {
    pub dialer: Arc<Dialer>,
    pub keys: Keys,
    /// Instead of the server's.
    pub clock: Option<Clock>,
    pub commands: Arc<Link>,
    pub signals: Arc<Signals>,
    /// What every script gets: the keys that all name, the prefix, the channel of hints.
    shared: Arguments,
    runtime: Handle,
    /// The tasks that keep the connections and follow the sentinels; aborted when this is dropped.
    tasks: Mutex<JoinSet<()>>,
}

impl Client {
    /// Connects to nothing yet.
    pub(super) fn new(config: &RedisConfig, keys: Keys, channels: Channels, runtime: Handle) -> Self {
        let dialer = Arc::new(Dialer::new(config, keys.meta()));
        let commands = Arc::new(Link::new(dialer.clone()));
        Self {
            clock: None,
            signals: Arc::new(Signals::new(dialer.clone(), channels, commands.clone())),
            commands,
            shared: Arguments {
                keys: vec![keys.meta(), keys.leases(), keys.brokers()],
                values: vec![keys.prefix().to_owned(), keys.hints().to_owned()],
            },
            dialer,
            keys,
            runtime,
            tasks: Mutex::default(),
        }
    }

    /// Starts the tasks unless they run. When the first attempt to connect fails they are stopped again; when they ran
    /// before, a connection that is being dialed again is waited for.
    pub(super) async fn start(&self) -> CoordinationResult<()> {
        let mut tasks = self.tasks.lock().await;
        let first = tasks.is_empty();
        if first {
            tasks.spawn_on(self.commands.clone().supervise(), &self.runtime);
            tasks.spawn_on(self.signals.clone().supervise(), &self.runtime);
            if let Some(sentinels) = self.dialer.sentinels() {
                tasks.spawn_on(sentinels.clone().follow(), &self.runtime);
            }
        } else {
            let up = async { tokio::join!(self.commands.up(), self.signals.up()) };
            // What is not up by then says why below.
            let _ = timeout(CONNECT_DEADLINE, up).await;
        }
        let (commands, signals) = tokio::join!(self.commands.settled(), self.signals.settled());
        let outcome = commands.map(drop).and(signals);
        if first && outcome.is_err() {
            tasks.shutdown().await;
            self.commands.reset();
            self.signals.reset();
        }
        outcome
    }

    /// Ends everything for good.
    pub(super) async fn close(&self) {
        self.commands.close();
        self.signals.close();
        self.tasks.lock().await.shutdown().await;
    }

    /// Runs a script.
    pub(super) async fn run(&self, lua: &Lua, arguments: Arguments) -> CoordinationResult<Value> {
        self.run_within(COMMAND_DEADLINE, lua, arguments).await
    }

    /// Runs a script that is worth nothing late.
    pub(super) async fn run_urgently(&self, lua: &Lua, arguments: Arguments) -> CoordinationResult<Value> {
        self.run_within(RENEW_DEADLINE, lua, arguments).await
    }

    async fn run_within(&self, deadline: Duration, lua: &Lua, arguments: Arguments) -> CoordinationResult<Value> {
        let (link, began) = (&self.commands, Instant::now());
        let left = || deadline.saturating_sub(began.elapsed());
        let mut repaired = false;
        loop {
            let live = link.live()?;
            let clock = match &self.clock {
                Some(clock) => (clock() * 1000).to_string(),
                None if live.script_clock || !lua.is_timed() => String::new(),
                None => self.micros(&live, left()).await?.to_string(),
            };
            let command = lua.command(true, &self.shared, &clock, &live.server, &arguments);
            let mut answer = link.send(&live, &command, lua.name, left()).await?;
            if answer.as_ref().is_err_and(is_no_script) {
                let command = lua.command(false, &self.shared, &clock, &live.server, &arguments);
                answer = link.send(&live, &command, lua.name, left()).await?;
            }
            match answer {
                Ok(answer) => return Ok(answer),
                Err(error) if reason(&error) == "WRONGTYPE" && !repaired => {
                    self.repair(&live, &arguments, left()).await?;
                    repaired = true;
                }
                Err(error) => self.may_try_again(&live, lua.name, &error, left()).await?,
            }
        }
    }

    /// Removes what another program put under the keys of the tables: a value of a foreign type stops every script.
    async fn repair(&self, live: &Live, arguments: &Arguments, left: Duration) -> CoordinationResult<()> {
        let keys = Arguments { keys: arguments.keys.clone(), values: Vec::new() };
        let command = script::REPAIR.command(false, &self.shared, "", &live.server, &keys);
        let answer = self.commands.send(live, &command, script::REPAIR.name, left).await?;
        answer.map(drop).map_err(|error| translate(live.place(), script::REPAIR.name, &error))
    }

    /// After an answer that is an error. `Ok` when the same may be sent once more, which is when nothing was done: at
    /// once where Redis was found elsewhere, after a pause where it is the same one. Otherwise the error.
    async fn may_try_again(
        &self,
        live: &Live,
        what: &str,
        error: &RedisError,
        left: Duration,
    ) -> CoordinationResult<()> {
        let (link, verdict) = (&self.commands, judge(error, live.place()));
        let error = translate(live.place(), what, error);
        match verdict {
            Verdict::Refused => return Err(error),
            Verdict::Again if left <= AGAIN + FOR_ANSWER => return Err(error),
            Verdict::Again => {
                sleep(AGAIN).await;
                return Ok(());
            }
            Verdict::NoMaster => link.leave(live, &error),
            Verdict::Moved(place) => link.follow(live, place, &error),
        }
        timeout(left, link.up()).await.map_err(|_| error)
    }

    /// A plain command on the connection for commands.
    pub(super) async fn command(&self, command: &Cmd, what: &str) -> CoordinationResult<Value> {
        let began = Instant::now();
        loop {
            let live = self.commands.live()?;
            let left = COMMAND_DEADLINE.saturating_sub(began.elapsed());
            match self.commands.send(&live, command, what, left).await? {
                Ok(answer) => return Ok(answer),
                Err(error) => self.may_try_again(&live, what, &error, left).await?,
            }
        }
    }

    /// The server's TIME.
    pub(super) async fn server_micros(&self) -> CoordinationResult<u64> {
        self.micros(&self.commands.live()?, COMMAND_DEADLINE).await
    }

    async fn micros(&self, live: &Live, deadline: Duration) -> CoordinationResult<u64> {
        let answer = self.commands.send(live, &redis::cmd("TIME"), "TIME", deadline).await?;
        let answer = answer.map_err(|error| translate(live.place(), "TIME", &error))?;
        self.read("TIME", answer::micros(answer))
    }

    /// The error for a key whose value this program did not write.
    pub(super) fn unreadable(&self, key: &str) -> CoordinationError {
        CoordinationError::Refused(format!(
            "Redis at {}: the value of {key:?} could not be read, because another program has changed it. Delete the key, or use another \"ns\"",
            self.dialer.place()
        ))
    }

    /// An answer, or the error that says that it was none of ours.
    pub(super) fn read<T>(&self, what: &str, answer: Option<T>) -> CoordinationResult<T> {
        answer.ok_or_else(|| foreign(&self.dialer.place(), what))
    }
}
