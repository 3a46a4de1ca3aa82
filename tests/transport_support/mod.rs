//! What the tests of the transport share: two transports, and a record of everything that happened on them.
#![allow(dead_code)]

mod polling;

use bytes::Bytes;
use dworker::ids::{BrokerId, Endpoint, Epoch, Incarnation, WorkerId};
use dworker::transport::{CloseReason, Connection, Events, MemoryHub, Transport, TransportConfig};
use dworker::wire::call_chain::Chain;
use dworker::wire::handshake::{Identity, Secrets};
use dworker::wire::message::{Envelope, EnvelopeRef, Message, Payload, PayloadRef};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;

/// Longest wait for anything: only a failing test waits so long.
pub const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Default)]
pub struct Seen {
    pub opened: Vec<Arc<Connection>>,
    pub messages: Vec<Message>,
    pub closed: Vec<(u64, CloseReason, Vec<Message>)>,
}

type Answer = dyn Fn(&Arc<Connection>, &Message) + Send + Sync;

/// Records events; `ready` waits while the gate is shut.
pub struct Recorder {
    seen: Mutex<Seen>,
    changed: watch::Sender<u64>,
    gate: watch::Sender<bool>,
    shut_at_next: AtomicBool,
    answer: Box<Answer>,
    keep: bool,
}

impl Recorder {
    pub fn new() -> Arc<Self> {
        Self::with(true, |_, _| {})
    }

    /// `answer` runs on every message; `keep`: messages are recorded.
    pub fn with(keep: bool, answer: impl Fn(&Arc<Connection>, &Message) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            seen: Mutex::default(),
            changed: watch::Sender::new(0),
            gate: watch::Sender::new(true),
            shut_at_next: AtomicBool::new(false),
            answer: Box::new(answer),
            keep,
        })
    }

    pub fn open_gate(&self, open: bool) {
        self.gate.send_replace(open);
    }

    /// The next message is the last one before the gate opens again.
    pub fn shut_gate_at_next_message(&self) {
        self.shut_at_next.store(true, Ordering::SeqCst);
    }

    pub fn look<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.seen.lock().unwrap())
    }

    /// Waits until `look` gives something.
    pub async fn wait<T>(&self, what: &str, mut look: impl FnMut(&Seen) -> Option<T>) -> T {
        let mut changed = self.changed.subscribe();
        let waiting = async {
            loop {
                changed.borrow_and_update();
                if let Some(found) = self.look(&mut look) {
                    return found;
                }
                changed.changed().await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
    }

    pub async fn opened(&self) -> Arc<Connection> {
        self.wait("an open connection", |seen| seen.opened.last().cloned()).await
    }

    pub async fn closed(&self) -> (CloseReason, Vec<Message>) {
        self.wait("a closed connection", |seen| {
            seen.closed.last().map(|(_, reason, unsent)| (reason.clone(), unsent.clone()))
        })
        .await
    }

    fn record(&self, record: impl FnOnce(&mut Seen)) {
        record(&mut self.seen.lock().unwrap());
        self.changed.send_modify(|count| *count += 1);
    }
}

impl Events for Recorder {
    fn on_open(&self, connection: &Arc<Connection>) {
        self.record(|seen| seen.opened.push(connection.clone()));
    }
    fn on_message(&self, connection: &Arc<Connection>, message: Message) {
        if self.shut_at_next.swap(false, Ordering::SeqCst) {
            self.open_gate(false);
        }
        (self.answer)(connection, &message);
        if self.keep {
            self.record(|seen| seen.messages.push(message));
        }
    }
    fn on_close(&self, connection: &Arc<Connection>, reason: CloseReason, unsent: Vec<Message>) {
        self.record(|seen| seen.closed.push((connection.id(), reason, unsent)));
    }
    fn is_ready(&self) -> bool {
        *self.gate.borrow()
    }
    fn ready(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        if *self.gate.borrow() {
            return Box::pin(std::future::ready(()));
        }
        let mut gate = self.gate.subscribe();
        Box::pin(async move {
            let _ = gate.wait_for(|open| *open).await;
        })
    }
}

pub fn identity(broker: &str) -> Identity {
    Identity { namespace: "test".to_owned(), broker: BrokerId::new(broker), incarnation: Incarnation::random() }
}

pub fn config(broker: &str) -> TransportConfig {
    TransportConfig::new(identity(broker), Secrets(vec![b"a secret of the tests".to_vec()]))
}

pub struct Side {
    pub transport: Transport,
    pub events: Arc<Recorder>,
    pub incarnation: Incarnation,
}

pub fn side(config: TransportConfig) -> Side {
    side_with(config, Recorder::new())
}

pub fn side_with(config: TransportConfig, events: Arc<Recorder>) -> Side {
    let incarnation = config.identity.incarnation.clone();
    // Of this file's two ways to be compiled, one is for the tests of sockets on another loop.
    let sockets = (env!("CARGO_CRATE_NAME") == "transport_polled").then(polling::start);
    Side { transport: Transport::new(config, events.clone(), Handle::current(), sockets), events, incarnation }
}

/// What connections run on.
#[derive(Clone)]
pub enum Net {
    Tcp(&'static str),
    /// A Unix socket of this host, beside TCP.
    Local,
    Memory(MemoryHub),
}

impl Net {
    pub fn all() -> Vec<Net> {
        let local = cfg!(target_os = "linux").then_some(Net::Local);
        [Net::Tcp("127.0.0.1"), Net::Memory(MemoryHub::new())].into_iter().chain(local).collect()
    }

    pub fn hub(&self) -> Option<&MemoryHub> {
        match self {
            Net::Tcp(_) | Net::Local => None,
            Net::Memory(hub) => Some(hub),
        }
    }

    pub async fn listen(&self, side: &Side) -> Endpoint {
        match self {
            Net::Tcp(host) => side.transport.listen(host, 0).await.unwrap(),
            Net::Local => {
                assert!(side.transport.listen_locally().await, "this host has no local sockets");
                side.transport.listen("127.0.0.1", 0).await.unwrap()
            }
            Net::Memory(hub) => side.transport.listen_memory(hub).await,
        }
    }

    /// `from` connects to `to`; both ends.
    pub async fn join(&self, from: &Side, to: &Side) -> (Arc<Connection>, Arc<Connection>) {
        let endpoint = self.listen(to).await;
        let ours = from.transport.connect(&endpoint, Some(&to.incarnation), self.hub()).await.unwrap();
        (ours, to.events.opened().await)
    }
}

pub fn envelope(sequence: u32, payload: &[u8]) -> Envelope {
    Envelope {
        worker: WorkerId::new("Test#1"),
        epoch: Epoch(1),
        sequence,
        method: Bytes::from_static(b"method"),
        chain: Chain::EMPTY,
        payload: Payload::json(Bytes::copy_from_slice(payload)),
    }
}

pub fn tell(sequence: u32, payload: &[u8]) -> Message {
    Message::Tell { envelope: envelope(sequence, payload) }
}

pub fn ask(call: u64, payload: &[u8]) -> Message {
    Message::Ask { call, time_left: 1000, envelope: envelope(call as u32, payload) }
}

/// Sequences of the tells among `messages`.
pub fn sequences(messages: &[Message]) -> Vec<u32> {
    let sequence = |message: &Message| match message {
        Message::Tell { envelope } => Some(envelope.sequence),
        _ => None,
    };
    messages.iter().filter_map(sequence).collect()
}

/// A message with this number.
pub fn numbered<'a>(sequence: u32, method: &'a str, payload: &'a [u8]) -> EnvelopeRef<'a> {
    EnvelopeRef { epoch: Epoch(1), sequence, ..EnvelopeRef::new("Test#1", method, PayloadRef::json(payload)) }
}
