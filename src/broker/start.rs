//! The start of a life: opens the coordinator, listens, registers, and starts the tasks.

use crate::broker::activation::saving;
use crate::broker::context::lease_thread;
use crate::broker::context::registry::Registry;
use crate::broker::context::tasks::Tasks;
use crate::broker::core::Core;
use crate::broker::home::Home;
use crate::broker::incarnation::{Life, LifeParts};
use crate::broker::js::event::Event;
use crate::broker::membership::heartbeat::Watcher;
use crate::broker::messaging::incoming::Receiver;
use crate::broker::signals::keep_signals;
use crate::clock::boot_millis;
use crate::coordination::CoordinationError;
use crate::error::{Code, Failure, Outcome};
use crate::ids::Endpoint;
use crate::level::Level;
use crate::lock::lock;
use crate::transport::{Events, MemoryHub, PeerTable, Transport, TransportConfig};
use crate::wire::handshake::{Identity, Purpose, Secrets};
use std::io::ErrorKind;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// How long a start waits for a `listen.port` that another process still listens on. A reload by PM2 ends the old
/// process about 3 s (`listen_timeout`) after it started the new one, and kills it 1.6 s (`kill_timeout`) later.
const PORT_PATIENCE: u64 = 6_000;
/// Between two attempts to listen on such a port.
const PORT_CHECK: Duration = Duration::from_millis(100);

impl From<CoordinationError> for Failure {
    fn from(error: CoordinationError) -> Self {
        match error {
            CoordinationError::Schema(text) => Failure::new(Code::Schema, text),
            CoordinationError::Unavailable(text) | CoordinationError::Refused(text) => Failure::new(Code::Redis, text),
        }
    }
}

impl Core {
    /// Joins under a new incarnation. Nothing is left behind when it fails.
    pub async fn join(self: &Arc<Self>) -> Outcome<Arc<Life>> {
        let (registry, hub) = match &self.home {
            Home::Redis(config) => (Registry::on_redis(config, &self.config.ns, &self.runtime), None),
            Home::Memory { store, hub } => (Registry::in_memory(store), Some(hub.clone())),
            Home::Embedded { coordinator, hub } => (Registry::embedded(coordinator()), Some(hub.clone())),
        };
        let joined = self.join_with(registry.clone(), hub).await;
        if joined.is_err() {
            registry.close().await;
        }
        joined
    }

    async fn join_with(self: &Arc<Self>, registry: Registry, hub: Option<MemoryHub>) -> Outcome<Arc<Life>> {
        registry.open().await?;
        let inbox = self.inbox.clone();
        let on_panic = Arc::new(move |message: String| inbox.push(Event::Stopped { message }));
        let life = Life::new(LifeParts {
            config: self.config.clone(),
            registry,
            hub,
            inbox: self.inbox.clone(),
            numbers: self.numbers.clone(),
            proofs: self.proofs.clone(),
            hosted: lock(&self.hosted).clone(),
            cordoned: self.cordoned.clone(),
            tasks: Tasks::new(self.runtime.clone(), on_panic),
        });
        (self.on_life)(&life.context.incarnation);
        let peers = PeerTable::new(&life.context.incarnation, self.config.max_peers);
        let receiver = Arc::new(Receiver(Arc::downgrade(&life.messages)));
        let transport = self.make_transport(&life, Purpose::Messages, &peers, receiver);
        let watcher = Arc::new(Watcher(Arc::downgrade(&life.membership.watch)));
        let control = self.make_transport(&life, Purpose::Control, &peers, watcher);
        life.membership.members.transports.set(transport, control);
        let result = self.enter(&life).await;
        if result.is_err() {
            life.context.tasks.end();
            life.membership.members.transports.close().await;
        }
        result.map(|()| life)
    }

    fn make_transport(
        &self,
        life: &Arc<Life>,
        purpose: Purpose,
        peers: &Arc<PeerTable>,
        events: Arc<dyn Events>,
    ) -> Transport {
        let identity = Identity {
            namespace: self.config.ns.clone(),
            broker: life.context.broker.clone(),
            incarnation: life.context.incarnation.clone(),
        };
        let mut config = TransportConfig::new(identity, Secrets::default());
        config.purpose = purpose;
        config.peers = peers.clone();
        config.local_sockets = self.config.local_sockets;
        config.max_message_bytes = self.config.max_message_bytes;
        config.idle_timeout = Duration::from_millis(self.config.socket_timeout);
        Transport::new(config, events, self.runtime.clone(), self.sockets.clone())
    }

    async fn enter(self: &Arc<Self>, life: &Arc<Life>) -> Outcome<()> {
        // From the registration on others connect, and ask whether this incarnation is there. By then it knows the
        // secret that they prove themselves by, and listens.
        if lock(&self.proofs).secrets.is_empty() {
            let secret = life.context.ask_patiently(|| life.context.coordinator.secret()).await?;
            life.membership.members.learn_secret(&secret);
        }
        life.membership.members.equip();
        let address = self.listen(life).await?;
        life.membership.members.listens_on(address);
        life.context.ask_patiently(|| life.context.registry.listen_as(&life.context.incarnation)).await?;
        life.membership.members.register().await?;
        // The database may have been wiped since the secret was read.
        life.membership.members.equip();
        life.membership.view.meet().await;
        let on_the_loop = self.sockets.is_some() && lock(&self.proofs).tls.is_none();
        let way = if on_the_loop { "the event loop of Node" } else { "threads of the core" };
        life.context.log(
            Level::Info,
            format!("Listening on {}. Sockets are served by {way}.", life.membership.members.record().address),
        );
        Ok(())
    }

    /// Starts the tasks of a life. Only now it takes up workers, and what JavaScript says about them finds this life.
    pub fn set_going(&self, life: &Arc<Life>) {
        life.activation.restore.warn_of_server();
        life.context.tasks.spawn_on("lease", &lease_thread::handle(), life.lease.clone().keep(life.clone()));
        life.context.spawn("log", life.context.clone().keep_log());
        life.context.spawn("deadlines", life.clone().keep_deadlines());
        life.context.spawn("registry", life.activation.registration.clone().keep_registry());
        for _ in 0..saving::WRITERS {
            life.context.spawn("data", life.activation.saving.clone().keep_saving());
        }
        life.context.spawn("membership", life.membership.view.clone().keep(life.clone()));
        if self.config.health_check_interval > 0 {
            life.context.spawn("evictions", life.membership.deaths.clone().keep_evicting());
        }
        life.context.spawn("watch", life.membership.watch.clone().keep_watch());
        life.context.spawn("pings", life.membership.watch.clone().keep_pinging());
        life.context.spawn("announcements", life.activation.restore.clone().keep_announcing());
        life.context.spawn("signals", keep_signals(life.clone()));
        life.context.spawn("record", life.membership.view.clone().keep_record());
        life.context.spawn("claims", life.activation.recovery.clone().keep_claiming());
        life.context.spawn("timers", life.activation.alarms.clone().keep());
        life.context.spawn("audit", life.activation.recovery.clone().keep_audit());
        // What was registered while this life was being made.
        for class in lock(&self.hosted).iter() {
            life.membership.members.host(class.clone());
        }
        life.activation.alarms.read_all();
    }

    async fn listen(&self, life: &Arc<Life>) -> Outcome<Endpoint> {
        if let Some(hub) = life.membership.members.transports.hub() {
            return Ok(life.membership.members.transports.messages().listen_memory(hub).await);
        }
        let listen = self.config.listen.as_ref();
        let host = listen
            .and_then(|address| address.host.clone())
            .or_else(|| life.context.coordinator.local_host())
            .unwrap_or_else(|| "127.0.0.1".into());
        let port = listen.and_then(|address| address.port).unwrap_or(0);
        let bound = bind(life, &host, port).await?;
        let advertise = self.config.advertise.as_ref();
        // An address that the application gives may lead through a proxy, so it is not bypassed.
        let forwarded = advertise.is_some_and(|address| address.host.is_some() || address.port.is_some());
        if self.config.local_sockets && !forwarded {
            life.membership.members.transports.messages().listen_locally().await;
        }
        let everywhere = bound.host.parse().is_ok_and(|address: IpAddr| address.is_unspecified());
        let own = if everywhere { life.context.coordinator.local_host().unwrap_or(bound.host) } else { bound.host };
        Ok(Endpoint {
            host: advertise.and_then(|address| address.host.clone()).unwrap_or(own),
            port: advertise.and_then(|address| address.port).unwrap_or(bound.port),
        })
    }
}

/// Listens on the port. One that another process is about to give up is waited for.
async fn bind(life: &Life, host: &str, port: u16) -> Outcome<Endpoint> {
    let give_up = boot_millis() + PORT_PATIENCE;
    let mut logged = false;
    loop {
        let error = match life.membership.members.transports.messages().listen(host, port).await {
            Ok(endpoint) => return Ok(endpoint),
            Err(error) => error,
        };
        if error.kind() != ErrorKind::AddrInUse || port == 0 {
            let text = format!("Expected an address that can be listened on but received {host}:{port}: {error}");
            return Err(Failure::new(Code::Config, text));
        }
        if boot_millis() >= give_up {
            let text = format!(
                "Another process still listens on {host}:{port} (option.listen.port) after {} s. End that process or choose another port.",
                PORT_PATIENCE / 1000
            );
            return Err(Failure::new(Code::AddressInUse, text));
        }
        if !logged {
            logged = true;
            let seconds = PORT_PATIENCE / 1000;
            let text = format!(
                "Another process listens on {host}:{port} (option.listen.port). Retrying for up to {seconds} s."
            );
            life.context.log(Level::Warn, text);
        }
        tokio::time::sleep(PORT_CHECK).await;
    }
}
