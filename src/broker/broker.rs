//! A broker through all its lives: started, fenced and joined again, destroyed. What the binding holds.

use crate::broker::activation::catalog::{Resident, State};
use crate::broker::context::numbers::Numbers;
use crate::broker::incarnation::Life;
use crate::broker::js::delivery;
use crate::broker::js::event::{DestroyCause, Event};
use crate::broker::js::queue::Inbox;
use crate::broker::membership::proofs::Proofs;
use crate::broker::start::Home;
use crate::clock::boot_millis;
use crate::config::{BrokerConfig, Credentials};
use crate::coordination::{Fate, Held, CHUNK};
use crate::error::{Code, Failure};
use crate::ids::{ClassName, Incarnation};
use crate::level::Level;
use crate::lock::lock;
use crate::transport::{SocketLoop, Tls};
use std::collections::{BTreeSet, HashSet};
use std::future::Future;
use std::pin::{pin, Pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{channel, Receiver};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::Handle;

/// How long leaving waits for the coordinator, beyond `destroyTimeout`; then the lease runs out by itself.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(1);
/// How long leaving waits until the others know of it, before workers end: a slow answer must not use up their time.
const PLACEMENTS_STOP: Duration = Duration::from_millis(500);

/// Is told of a new incarnation.
pub type OnLife = Box<dyn Fn(&Incarnation) + Send + Sync>;

/// See the module.
pub struct Core {
    pub config: Arc<BrokerConfig>,
    pub inbox: Arc<Inbox>,
    pub home: Home,
    pub proofs: Arc<Mutex<Proofs>>,
    pub runtime: Handle,
    /// Where connections that carry messages are served; `None`: on the runtime.
    pub sockets: Option<Arc<dyn SocketLoop>>,
    pub numbers: Numbers,
    pub hosted: Mutex<BTreeSet<ClassName>>,
    /// Told of every new incarnation before anything happens under it.
    pub on_life: OnLife,
    life: Mutex<Option<Arc<Life>>>,
    /// Grows with every start and every end: whoever joins meanwhile finds out that nobody wants that any more.
    term: AtomicU64,
}

impl Core {
    pub fn new(
        config: BrokerConfig,
        inbox: Arc<Inbox>,
        home: Home,
        runtime: Handle,
        sockets: Option<Arc<dyn SocketLoop>>,
        on_life: OnLife,
    ) -> Arc<Self> {
        Arc::new(Self {
            config: Arc::new(config),
            inbox,
            home,
            proofs: Arc::default(),
            runtime,
            sockets,
            numbers: Numbers::default(),
            hosted: Mutex::default(),
            on_life,
            life: Mutex::default(),
            term: AtomicU64::new(0),
        })
    }

    /// From now on this broker proves itself by these; connections that are open stay.
    /// An error: nothing changed.
    pub fn set_credentials(&self, credentials: Credentials) -> Result<(), String> {
        let secrets = credentials.secrets.into_iter().map(|secret| secret.0.into_bytes()).collect();
        let tls = credentials.tls.map(|tls| Tls::new(&tls.key.0, &tls.cert, &tls.ca)).transpose()?;
        *lock(&self.proofs) = Proofs { secrets, tls: tls.map(Arc::new) };
        if let Ok(life) = self.life() {
            life.membership.members.equip();
        }
        Ok(())
    }

    /// The life that goes on; an error for the caller where there is none.
    pub fn life(&self) -> Result<Arc<Life>, Failure> {
        lock(&self.life).clone().ok_or_else(|| Failure::new(Code::State, "The broker is not active."))
    }

    /// Joins; answers under `slot` with `{"listening", "incarnation"}`.
    pub fn start(self: &Arc<Self>, slot: u64) {
        let core = self.clone();
        let term = self.next_term();
        self.runtime.spawn(async move {
            let event = match core.join().await {
                Ok(life) => {
                    let listening = life.membership.members.record().address.to_string();
                    let incarnation = life.context.incarnation.to_string();
                    if core.begin(life, term).await {
                        let value = serde_json::json!({ "listening": listening, "incarnation": incarnation });
                        Event::done_json(slot, value.to_string())
                    } else {
                        Event::failed(slot, Failure::new(Code::State, "The broker was ended while it started."))
                    }
                }
                Err(failure) => Event::failed(slot, failure),
            };
            core.inbox.push(event);
        });
    }

    /// Takes a new life on; `false`, and it leaves at once, when it is not wanted any more.
    async fn begin(self: &Arc<Self>, life: Arc<Life>, term: u64) -> bool {
        let wanted = {
            let mut current = lock(&self.life);
            let wanted = self.term.load(Ordering::Acquire) == term;
            if wanted {
                *current = Some(life.clone());
            }
            wanted
        };
        // What was set while it joined.
        life.membership.members.equip();
        if !wanted {
            let _ = tokio::time::timeout(LEAVE_TIMEOUT, leave_registry(&life, Fate::Recover)).await;
            end(&life, true).await;
            return false;
        }
        self.set_going(&life);
        let core = self.clone();
        // Not a task of the life: it ends it.
        self.runtime.spawn(async move {
            let fenced = tokio::select! {
                () = life.lease.lost() => true,
                () = life.context.tasks.ended() => false,
            };
            if fenced {
                core.rejoin(life, term).await;
            }
        });
        true
    }

    fn next_term(&self) -> u64 {
        self.term.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// The incarnation is over although the broker lives: its workers end, and it joins under a new one.
    fn rejoin(self: Arc<Self>, life: Arc<Life>, term: u64) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        // Boxed: joining again begins again.
        Box::pin(async move {
            {
                let mut current = lock(&self.life);
                if !current.as_ref().is_some_and(|current| Arc::ptr_eq(current, &life)) {
                    return;
                }
                *current = None;
            }
            let handles: Vec<_> = lock(&life.residents).iter().map(|(handle, _)| handle).collect();
            for handle in handles {
                self.inbox.push(Event::Destroy { handle, cause: DestroyCause::Fenced });
            }
            end(&life, false).await;
            let mut backoff = life.context.backoff();
            loop {
                match self.join().await {
                    Ok(next) => {
                        next.context.log(Level::Info, "The broker joined again.");
                        self.begin(next, term).await;
                        return;
                    }
                    Err(failure) => {
                        life.context.log(Level::Error, format!("The broker could not join again yet: {failure}"))
                    }
                }
                tokio::time::sleep(backoff.next_wait()).await;
                if self.term.load(Ordering::Acquire) != term {
                    return;
                }
            }
        })
    }

    /// Leaves: workers end, recoverable ones are handed over; answers under `slot`.
    pub fn destroy(self: &Arc<Self>, slot: u64, no_recover: bool) {
        self.next_term();
        let life = lock(&self.life).clone();
        let core = self.clone();
        self.runtime.spawn(async move {
            if let Some(life) = life {
                core.leave(&life, no_recover).await;
                let mut current = lock(&core.life);
                if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, &life)) {
                    *current = None;
                }
            }
            core.inbox.push(Event::done(slot));
        });
    }

    async fn leave(&self, life: &Arc<Life>, no_recover: bool) {
        let give_up = boot_millis() + self.config.destroy_timeout;
        life.no_recover.store(no_recover, Ordering::Release);
        life.context.set_leaving();
        lock(&life.inbound).await_no_end();
        // First of all nobody places anything here any more.
        let told =
            tokio::time::timeout(PLACEMENTS_STOP, life.context.coordinator.update(&life.membership.members.record()))
                .await;
        if !matches!(told, Ok(Ok(_))) {
            life.membership.members.changes.publish();
        }
        let handles: Vec<_> = lock(&life.residents)
            .iter()
            .filter(|(_, resident)| resident.state == State::Active)
            .map(|(handle, _)| handle)
            .collect();
        for handle in handles {
            // What arrives from now on waits, and goes back when the worker is gone.
            life.destroying(handle, !no_recover);
            self.inbox.push(Event::Destroy { handle, cause: DestroyCause::System });
        }
        loop {
            // Before the look: no departure after it is missed.
            let mut departed = pin!(life.departed.notified());
            departed.as_mut().enable();
            let left = give_up.saturating_sub(boot_millis());
            if lock(&life.residents).is_empty() || left == 0 {
                break;
            }
            let _ = tokio::time::timeout(Duration::from_millis(left), departed).await;
        }
        let left = lock(&life.residents).len();
        if left > 0 {
            life.context
                .log(Level::Warn, format!("{left} workers did not end in time: the broker leaves without them."));
        }
        let fate = if no_recover { Fate::Delete } else { Fate::Recover };
        if tokio::time::timeout(LEAVE_TIMEOUT, leave_registry(life, fate)).await.is_err() {
            life.context.log(Level::Warn, "The registry did not answer: this broker's lease runs out by itself.");
        }
        end(life, true).await;
    }

    /// Drops everything at once: no goodbye, no handing over. What a kill does, for tests and the demo.
    pub fn crash(&self) {
        self.next_term();
        let life = lock(&self.life).take();
        if let Some(life) = life {
            life.context.tasks.end();
            abort(&life);
            self.runtime.spawn(async move { life.context.registry.close().await });
        }
    }

    /// The JavaScript environment ends: what lived in it is gone, its recoverable workers go elsewhere. The receiver
    /// hears when the registry knows, or that it will not hear.
    /// `crashed`: by an error, which may be the doing of a worker: the others find out which.
    pub fn dispose(&self, crashed: bool) -> Receiver<()> {
        let (left, gone) = channel();
        self.next_term();
        let life = lock(&self.life).take();
        if let Some(life) = life {
            life.context.tasks.end();
            abort(&life);
            let finished: Vec<Held> = {
                let mut residents = lock(&life.residents);
                residents.iter_mut().filter(|resident| resident.finished).map(Resident::finish).collect()
            };
            self.runtime.spawn(async move {
                let leaving = async {
                    // What ended for good is not to be recovered, even if its end was not yet written.
                    if !finished.is_empty() {
                        let _ = life.context.coordinator.restore(&life.context.incarnation, &finished).await;
                    }
                    match crashed {
                        true => drop(life.context.coordinator.leave(&life.context.incarnation, Fate::Crash, 0).await),
                        false => leave_registry(&life, Fate::Recover).await,
                    }
                };
                let _ = tokio::time::timeout(LEAVE_TIMEOUT, leaving).await;
                // Whoever waits may be gone already.
                let _ = left.send(());
                life.context.registry.close().await;
            });
        }
        gone
    }

    pub fn host(&self, class: ClassName) {
        lock(&self.hosted).insert(class.clone());
        if let Ok(life) = self.life() {
            life.membership.members.host(class);
        }
    }

    /// The class of this worker turned out to be missing: nothing more of it is wanted here.
    pub fn unhost(&self, life: &Life, handle: delivery::Handle) {
        if let Some(class) = life.unhost(handle) {
            lock(&self.hosted).remove(&class);
        }
    }
}

async fn leave_registry(life: &Arc<Life>, fate: Fate) {
    let mut backoff = life.context.backoff();
    loop {
        match life.context.coordinator.leave(&life.context.incarnation, fate, CHUNK).await {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) => {
                life.context.log(Level::Debug, format!("The broker could not leave yet: {error}"));
                tokio::time::sleep(backoff.next_wait()).await;
            }
        }
    }
}

/// Drops all sockets at once.
fn abort(life: &Life) {
    life.membership.members.transports.abort();
}

/// Ends sockets and tasks, and everything that still waits.
async fn end(life: &Arc<Life>, politely: bool) {
    life.context.tasks.end();
    if politely {
        life.membership.members.transports.close().await;
    } else {
        abort(life);
    }
    life.context.tasks.join().await;
    life.context.close_log();
    life.context.registry.close().await;
    let gone: HashSet<_> = lock(&life.residents).iter().map(|(handle, _)| handle).collect();
    life.context.inbox.forget(|handle| gone.contains(&handle));
    life.context.fail_operations();
    life.directory.routes.fail_everything();
    life.calls.fail_everything();
}
