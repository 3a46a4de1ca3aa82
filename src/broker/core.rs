//! A broker through all its incarnations: what the binding holds.

use crate::broker::context::numbers::Numbers;
use crate::broker::home::Home;
use crate::broker::incarnation::Life;
use crate::broker::js::delivery;
use crate::broker::js::queue::Inbox;
use crate::broker::membership::proofs::Proofs;
use crate::config::{BrokerConfig, Credentials};
use crate::error::{Code, Failure};
use crate::ids::{ClassName, Incarnation};
use crate::lock::lock;
use crate::transport::{SocketLoop, Tls};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};
use tokio::runtime::Handle;

/// Is told of a new incarnation.
pub type OnLife = Box<dyn Fn(&Incarnation) + Send + Sync>;

/// A broker through all its incarnations.
pub struct Core {
    pub config: Arc<BrokerConfig>,
    pub inbox: Arc<Inbox>,
    pub(super) home: Home,
    pub(super) proofs: Arc<Mutex<Proofs>>,
    pub(super) runtime: Handle,
    /// Where connections that carry messages are served; `None`: on the runtime.
    pub(super) sockets: Option<Arc<dyn SocketLoop>>,
    pub numbers: Numbers,
    pub(super) hosted: Mutex<BTreeSet<ClassName>>,
    /// The application keeps new workers away from this broker, through all its incarnations.
    pub(super) cordoned: Arc<AtomicBool>,
    /// Told of every new incarnation before anything happens under it.
    pub(super) on_life: OnLife,
    pub(super) life: Mutex<Option<Arc<Life>>>,
    /// Grows with every start and every end: whoever joins meanwhile finds out that nobody wants that any more.
    pub(super) term: AtomicU64,
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
            cordoned: Arc::default(),
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

    pub fn host(&self, class: ClassName) {
        lock(&self.hosted).insert(class.clone());
        if let Ok(life) = self.life() {
            life.membership.members.host(class.clone());
            life.activation.alarms.read([class]);
        }
    }

    /// The class of this worker turned out to be missing: nothing more of it is wanted here.
    pub fn unhost(&self, life: &Life, handle: delivery::Handle) {
        if let Some(class) = life.activation.lifecycle.unhost(handle) {
            lock(&self.hosted).remove(&class);
        }
    }
}
