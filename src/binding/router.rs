//! `NativeRouter`: the bare transport as JavaScript calls it, without broker or Redis.

use crate::binding::wake::Waker;
use crate::binding::{runtime, strings};
use crate::broker::js::batch::{is_one_json_value, BatchWriter, LARGE};
use crate::broker::js::event::Event;
use crate::broker::js::queue::Inbox;
use crate::broker::output::failure::send_failure;
use crate::error::{Code, Failure};
use crate::ids::{BrokerId, Endpoint, Epoch, Incarnation, WorkerId};
use crate::level::Level;
use crate::limits;
use crate::lock::lock;
use crate::transport::{CloseReason, Connection, Events, Transport, TransportConfig};
use crate::wire::call_chain::Chain;
use crate::wire::handshake::{Identity, Secrets};
use crate::wire::message::{Encoding, Envelope, Message, Payload};
use bytes::Bytes;
use napi::bindgen_prelude::Function;
use napi::{Env, Error, JsString, Status};
use napi_derive::napi;
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Requests that wait for one address at most.
const MAX_WAITING: usize = limits::WAITING_MESSAGES;
/// Bytes of requests that wait at most, for all addresses together: as much as waits for one peer once it is connected.
const MAX_WAITING_BYTES: usize = limits::WAITING_BYTES;
/// Routers have no namespace and no secret: they are told apart from brokers, and not authenticated.
const NAMESPACE: &str = "dworker:router";

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RouterConfig {
    soc_timeout: u64,
}

/// Requests that wait for their turn, by where they go; a queue is there as long as a task works on it.
#[derive(Default)]
struct Requests {
    queues: HashMap<Endpoint, VecDeque<(u64, Message)>>,
    bytes: usize,
}

impl Requests {
    /// Whether one more may wait for this address.
    fn has_room(&self, endpoint: &Endpoint, message: &Message) -> bool {
        self.queues.get(endpoint).is_none_or(|queue| queue.len() < MAX_WAITING)
            && self.bytes + held(message) <= MAX_WAITING_BYTES
    }

    /// Adds a request; `true` where it is the first for its address, for which a task has to be started.
    fn push(&mut self, endpoint: &Endpoint, request: (u64, Message)) -> bool {
        self.bytes += held(&request.1);
        let first = !self.queues.contains_key(endpoint);
        self.queues.entry(endpoint.clone()).or_default().push_back(request);
        first
    }

    fn pop(&mut self, endpoint: &Endpoint) -> Option<(u64, Message)> {
        let request = self.queues.get_mut(endpoint)?.pop_front()?;
        self.bytes -= held(&request.1);
        Some(request)
    }

    /// Whether nothing waits for this address any more; its queue is gone then.
    fn is_done(&mut self, endpoint: &Endpoint) -> bool {
        let done = self.queues.get(endpoint).is_none_or(VecDeque::is_empty);
        if done {
            self.queues.remove(endpoint);
        }
        done
    }
}

fn held(message: &Message) -> usize {
    match message {
        Message::Tell { envelope } => envelope.held_bytes(),
        _ => 0,
    }
}

/// Both directions' connections, and the transport's events turned into JavaScript's.
struct Links {
    inbox: Arc<Inbox>,
    /// Connections that peers opened, by requester id.
    requesters: Mutex<HashMap<u64, Arc<Connection>>>,
    /// Where connections that this side opened lead.
    opened: Mutex<HashMap<u64, Endpoint>>,
    requests: Mutex<Requests>,
}

impl Links {
    /// Sends what waits for one address, in order, until nothing does.
    async fn send_queued(&self, transport: &Transport, endpoint: Endpoint) {
        loop {
            if lock(&self.requests).is_done(&endpoint) {
                return;
            }
            let connected = transport.connect(&endpoint, None, None).await;
            let next = lock(&self.requests).pop(&endpoint);
            let Some((slot, message)) = next else { continue };
            let result = match connected {
                Ok(connection) => {
                    lock(&self.opened).entry(connection.id()).or_insert_with(|| endpoint.clone());
                    let sent = connection.send(&message).map_err(send_failure);
                    connection.flush();
                    sent
                }
                Err(error) => Err(Failure::new(Code::Unreachable, format!("{endpoint} cannot be reached: {error}"))),
            };
            self.inbox.push(match result {
                Ok(()) => Event::done(slot),
                Err(failure) => Event::failed(slot, failure),
            });
        }
    }
}

impl Events for Links {
    fn on_open(&self, connection: &Arc<Connection>) {
        if !connection.outgoing() {
            lock(&self.requesters).insert(connection.id(), connection.clone());
        }
    }

    fn on_message(&self, connection: &Arc<Connection>, message: Message) {
        let Message::Tell { envelope: Envelope { payload: data, .. } } = message else { return };
        let is_json = data.encoding == Encoding::Json && (data.bytes.len() >= LARGE || is_one_json_value(&data.bytes));
        if !is_json && data.encoding != Encoding::Absent {
            connection.close(Code::Config, "the payload is not one JSON value");
            return;
        }
        self.inbox.push(if connection.outgoing() {
            Event::Response { data }
        } else {
            Event::Request { requester: connection.id(), data }
        });
    }

    fn on_close(&self, connection: &Arc<Connection>, _reason: CloseReason, _unsent: Vec<Message>) {
        lock(&self.requesters).remove(&connection.id());
        let opened = lock(&self.opened).remove(&connection.id());
        if let Some(Endpoint { host, port }) = opened {
            self.inbox.push(Event::Disconnect { host, port });
        }
    }

    fn is_ready(&self) -> bool {
        !self.inbox.is_full()
    }

    fn ready(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.inbox.room())
    }
}

fn data_message(json: Option<&str>) -> Message {
    let payload = json.map_or(Payload::ABSENT, |json| Payload::json(Bytes::copy_from_slice(json.as_bytes())));
    Message::Tell {
        envelope: Envelope {
            worker: WorkerId::new(""),
            epoch: Epoch(0),
            sequence: 0,
            method: Bytes::new(),
            chain: Chain::EMPTY,
            payload,
        },
    }
}

#[napi]
pub struct NativeRouter {
    waker: Waker,
    links: Arc<Links>,
    idle_timeout: Duration,
    transport: RefCell<Option<Transport>>,
    batch: RefCell<BatchWriter>,
}

#[napi]
impl NativeRouter {
    #[napi(constructor, catch_unwind)]
    pub fn new(config: String, wake: Function<'_, (), ()>) -> napi::Result<Self> {
        let config: RouterConfig = serde_json::from_str(&config)
            .map_err(|error| Error::new(Status::InvalidArg, format!("Expected a router's config: {error}")))?;
        let waker = Waker::new(&wake, None)?;
        let inbox = Arc::new(Inbox::new({
            let waker = waker.clone();
            Box::new(move || waker.wake())
        }));
        Ok(Self {
            waker,
            links: Arc::new(Links {
                inbox,
                requesters: Mutex::default(),
                opened: Mutex::default(),
                requests: Mutex::default(),
            }),
            idle_timeout: Duration::from_millis(config.soc_timeout),
            transport: RefCell::default(),
            batch: RefCell::default(),
        })
    }

    /// The transport, made when it is first used.
    fn transport(&self) -> Transport {
        let mut transport = self.transport.borrow_mut();
        transport
            .get_or_insert_with(|| {
                let identity = Identity {
                    namespace: NAMESPACE.into(),
                    broker: BrokerId::new("router"),
                    incarnation: Incarnation::random(),
                };
                let mut config = TransportConfig::new(identity, Secrets(vec![NAMESPACE.into()]));
                config.idle_timeout = self.idle_timeout;
                Transport::new(config, self.links.clone(), runtime::handle(), None)
            })
            .clone()
    }

    #[napi(catch_unwind)]
    pub fn listen(&self, slot: f64, host: String) {
        let (transport, links, slot) = (self.transport(), self.links.clone(), slot as u64);
        runtime::handle().spawn(async move {
            links.inbox.push(match transport.listen(&host, 0).await {
                Ok(Endpoint { host, port }) => {
                    Event::done_json(slot, serde_json::json!({ "address": host, "port": port }).to_string())
                }
                Err(error) => {
                    let text = format!("Expected an address that can be listened on but received {host}: {error}");
                    Event::failed(slot, Failure::new(Code::Config, text))
                }
            });
        });
    }

    /// Settled when the data is in the socket's hands.
    #[napi(catch_unwind)]
    pub fn request(&self, slot: f64, host: String, port: u16, json: Option<String>) {
        let endpoint = Endpoint { host, port };
        let request = (slot as u64, data_message(json.as_deref()));
        let mut requests = lock(&self.links.requests);
        if !requests.has_room(&endpoint, &request.1) {
            drop(requests);
            let failure = Failure::new(Code::Overloaded, format!("The queue of requests to {endpoint} is full."));
            return self.links.inbox.push(Event::failed(request.0, failure));
        }
        if !requests.push(&endpoint, request) {
            return;
        }
        drop(requests);
        let (transport, links) = (self.transport(), self.links.clone());
        runtime::handle().spawn(async move { links.send_queued(&transport, endpoint).await });
    }

    #[napi(catch_unwind)]
    pub fn respond(&self, requester: f64, json: Option<String>) {
        let connection = lock(&self.links.requesters).get(&(requester as u64)).cloned();
        let problem = match connection {
            None => Some(format!("Expected the id of an open connection for respond(), but connection {requester} has ended. The response is dropped.")),
            Some(connection) => {
                let sent = connection.send(&data_message(json.as_deref()));
                connection.flush();
                sent.err().map(|error| send_failure(error).to_string())
            }
        };
        if let Some(message) = problem {
            self.links.inbox.push(Event::Log { level: Level::Warn, message });
        }
    }

    /// Ends all connections and the listener. JavaScript hears nothing more of this router, and makes another one where its
    /// application goes on.
    #[napi(catch_unwind)]
    pub fn close(&self) {
        self.waker.close();
        if let Some(transport) = self.transport.take() {
            runtime::handle().spawn(async move { transport.close().await });
        }
    }

    #[napi(catch_unwind)]
    pub fn drain<'env>(&self, env: &'env Env) -> napi::Result<Option<JsString<'env>>> {
        let mut events = Vec::new();
        self.links.inbox.take(limits::BATCH_EVENTS, limits::BATCH_EVENTS, || true, &mut events);
        if events.is_empty() {
            return Ok(None);
        }
        let mut writer = self.batch.borrow_mut();
        writer.write(&events);
        strings::to_js(env, &writer.text).map(Some)
    }

    #[napi(catch_unwind)]
    pub fn take<'env>(&self, env: &'env Env, index: u32) -> napi::Result<Option<JsString<'env>>> {
        let writer = self.batch.borrow();
        writer.large.get(index as usize).map(|apart| strings::to_js(env, apart.bytes())).transpose()
    }
}

impl Drop for NativeRouter {
    fn drop(&mut self) {
        self.close();
    }
}
