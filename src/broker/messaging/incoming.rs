//! What arrives from peers: each message is decided on where it is read, in the order of its connection.

use crate::broker::activation::catalog::{Admission, CreationPlace, Creator, Requester};
use crate::broker::activation::requests::AskPlace;
use crate::broker::activation::turns::{cycle, ending};
use crate::broker::calls::table::Settled;
use crate::broker::js::batch::{is_one_json_value, plain_string, LARGE};
use crate::broker::js::delivery::{Delivery, Origin};
use crate::broker::js::event::{Event, Mark};
use crate::broker::membership::death::Sign;
use crate::broker::messaging::outgoing::Messages;
use crate::clock::boot_millis;
use crate::error::{Code, Delivered, Failure};
use crate::ids::WorkerId;
use crate::level::Level;
use crate::transport::{CloseReason, Connection, Events, Incident};
use crate::wire::call_chain::Chain;
use crate::wire::message::{Encoding, Envelope, Message, Payload};
use bytes::Bytes;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};

/// The events of the transport, for one incarnation. Weak: the incarnation owns the transport.
pub(crate) struct Receiver(pub Weak<Messages>);

impl Events for Receiver {
    fn on_open(&self, connection: &Arc<Connection>) {
        let Some(messages) = self.0.upgrade() else { return };
        if connection.is_control() {
            messages.watch.control_opened(connection);
        } else {
            messages.members.peers.opened(connection);
        }
    }

    fn on_message(&self, connection: &Arc<Connection>, message: Message) {
        let Some(messages) = self.0.upgrade() else { return };
        if connection.is_control() {
            messages.watch.control_heard(connection, &message);
        } else {
            messages.receive(connection, message);
        }
    }

    fn on_close(&self, connection: &Arc<Connection>, reason: CloseReason, unsent: Vec<Message>) {
        let Some(messages) = self.0.upgrade() else { return };
        if connection.is_control() {
            messages.watch.control_closed(connection, &reason);
        } else {
            messages.disconnected(connection, &reason, unsent);
        }
    }

    fn is_waiting(&self, connection: &Arc<Connection>) -> bool {
        self.0.upgrade().is_some_and(|messages| messages.calls.has_in_flight(connection.id()))
    }

    fn is_ready(&self) -> bool {
        self.0.upgrade().is_none_or(|messages| !messages.context.inbox.is_full())
    }

    fn ready(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let messages = self.0.upgrade();
        Box::pin(async move {
            if let Some(messages) = messages {
                let inbox = messages.context.inbox.clone();
                drop(messages);
                inbox.room().await;
            }
        })
    }
}

/// Why JavaScript cannot be given a payload; `None` where it can. JSON text that stands inside a batch is checked here,
/// JavaScript checks everything else alone.
fn flaw(payload: &Payload) -> Option<&'static str> {
    let Payload { encoding, bytes } = payload;
    match encoding {
        Encoding::Absent | Encoding::Packed | Encoding::Bytes | Encoding::Structured => None,
        Encoding::Unknown => {
            Some("Expected a known encoding of the payload, but this broker runs an older version of dworker that does not know it.")
        }
        Encoding::Json if bytes.len() >= LARGE || plain_string(bytes).is_some() || is_one_json_value(bytes) => None,
        Encoding::Json => Some("Expected the payload to be one JSON value."),
    }
}

impl Messages {
    fn receive(self: &Arc<Self>, from: &Arc<Connection>, message: Message) {
        match message {
            Message::Ask { call, time_left, envelope } => self.receive_message(from, call, time_left, envelope),
            Message::Tell { envelope } => self.receive_message(from, 0, 0, envelope),
            Message::Reply { call, payload } => match flaw(&payload) {
                None => self.calls.settle_from(from, call, Settled::Reply(payload)),
                Some(flaw) => {
                    self.note_bad_payload(from);
                    let failure = Failure::new(Code::Rejected, format!("The answer cannot be read. {flaw}"));
                    self.calls.settle_from(from, call, Settled::Failure { failure, body: Bytes::new() });
                }
            },
            Message::Failure { call, code, message, body } => {
                let mut failure = Failure::new(code, String::from_utf8_lossy(&message));
                if code == Code::TooLarge {
                    // The result was too large: the handler has run.
                    failure.delivered = Delivered::Yes;
                }
                let body = if is_one_json_value(&body) { body } else { Bytes::new() };
                self.calls.settle_from(from, call, Settled::Failure { failure, body });
            }
            Message::Bounce { call, code, envelope } => self.came_back(from, call, code, envelope),
            Message::Create { call, time_left, worker, chain } => {
                self.receive_create(from, call, time_left, worker, chain)
            }
            Message::Sync { call, worker } => {
                self.refusals.passed(from.id(), &worker);
                // What a worker that moves out sends back is written by now: that happens under this lock.
                self.workers.wait_for_departures();
                let connection = from.clone();
                self.context.inbox.push(Event::Mark(Mark::Remote { connection, sync: call }));
            }
            Message::Synced { call } => self.fence_passed(call),
            Message::Cancel { call } => {
                let inbound = self.workers.find_ask(from.id(), call);
                if let Some(inbound) = inbound {
                    self.workers.cancel(inbound);
                }
            }
            Message::Unknown { kind, call } => {
                let message = Bytes::from(format!("Expected a known kind of message but received {kind}."));
                let code = Code::Config;
                self.output.reply_to(from, &Message::Failure { call, code, message, body: Bytes::new() });
            }
            Message::Ping { token } => self.output.reply_to(from, &Message::Pong { token }),
            Message::Close { .. } | Message::Pong { .. } => {}
        }
    }

    fn note_bad_payload(&self, from: &Connection) {
        self.members.transports.note(Incident::BadPayload, &from.remote(), &"a message was dropped");
    }

    /// A mark has passed through the inbox.
    pub fn marked(self: &Arc<Self>, mark: Mark) {
        match mark {
            Mark::Local { sync } => self.fence_passed(sync),
            Mark::Remote { connection, sync } => self.output.reply_to(&connection, &Message::Synced { call: sync }),
        }
    }

    fn fence_passed(self: &Arc<Self>, sync: u64) {
        let worker = self.routes.lanes().passed(sync);
        if let Some(worker) = worker {
            self.routes.look_for_route(&worker);
        }
    }

    fn receive_message(self: &Arc<Self>, from: &Arc<Connection>, call: u64, time_left: u32, envelope: Envelope) {
        if let Some(flaw) = flaw(&envelope.payload) {
            self.note_bad_payload(from);
            if call > 0 {
                self.output.refuse_call(from, call, Code::Config, flaw);
            }
            return;
        }
        let deadline = if call > 0 { boot_millis() + u64::from(time_left) } else { u64::MAX };
        let origin = Origin::Remote { connection: from.clone(), call };
        let inbound = if call > 0 {
            let Some(place) = self.place_of(&origin, from) else {
                self.output.refuse_call(
                    from,
                    call,
                    Code::Overloaded,
                    "The broker that made the call already has the most calls in flight that are allowed.",
                );
                return;
            };
            self.workers.open_ask(place, deadline, envelope.chain.clone())
        } else {
            0
        };
        let delivery = Delivery { handle: 0, inbound, turn: false, origin, deadline, envelope };
        let Envelope { worker, epoch, .. } = &delivery.envelope;
        if let Some(code) = self.refusals.refuses(from.id(), worker, *epoch) {
            return self.workers.send_back(delivery, code);
        }
        // Tells are let in: they wait.
        if call > 0 && self.lease.is_suspended() {
            return self.refuse_from(from, delivery, Code::Suspended);
        }
        let admission = self.workers.admit(delivery);
        match admission {
            Admission::Ready(delivery) => {
                self.workers.begin_turn(&delivery);
                self.context.inbox.push(Event::Message(delivery));
            }
            Admission::Held => {}
            Admission::Full(delivery) => self.workers.send_back(delivery, Code::Overloaded),
            Admission::Absent(delivery) => self.refuse_from(from, delivery, Code::WorkerNotFound),
            Admission::Cycle(delivery) => self.workers.refuse_ask(&delivery, cycle(&delivery)),
            Admission::Ending(delivery, refusal) => self.workers.refuse_ask(&delivery, ending(&delivery, refusal)),
        }
    }

    /// A message goes back, and what its sender wrote after it.
    fn refuse_from(self: &Arc<Self>, from: &Arc<Connection>, delivery: Delivery, code: Code) {
        let Envelope { worker, epoch, .. } = &delivery.envelope;
        let bounded = self.refusals.refuse(from.id(), worker, *epoch, code);
        self.workers.send_back(delivery, code);
        if !bounded {
            from.close(Code::Overloaded, "too many messages came back and were not asked for");
        }
    }

    /// A place for one more ask of this connection; `None`: it has too many. Handlers that never settle lose theirs when
    /// nobody waits for them any more.
    fn place_of(&self, origin: &Origin, from: &Connection) -> Option<AskPlace> {
        let place = AskPlace::take(origin.clone());
        place.or_else(|| {
            let gone = self.workers.forget_expired(from.id());
            (gone > 0).then(|| AskPlace::beyond_limit(origin.clone()))
        })
    }

    fn receive_create(
        self: &Arc<Self>,
        from: &Arc<Connection>,
        call: u64,
        time_left: u32,
        worker: WorkerId,
        chain: Chain,
    ) {
        let Some(place) = CreationPlace::take(from) else {
            return self.output.refuse_call(
                from,
                call,
                Code::Overloaded,
                "The broker that made the call is already creating the most workers that are allowed.",
            );
        };
        let deadline = boot_millis() + u64::from(time_left);
        let creator = Creator { requester: Requester::Remote { place, call, deadline }, chain };
        if self.context.is_leaving() && !self.workers.is_here(&worker) {
            let failure = Failure::new(Code::State, "The broker is leaving.");
            self.creators.tell_creators(vec![creator], &Err(failure));
        } else if self.workers.is_here(&worker) {
            self.creators.join_creators(&worker, creator);
        } else {
            self.workers.take_up(worker, Some(creator));
        }
    }

    fn disconnected(self: &Arc<Self>, connection: &Arc<Connection>, reason: &CloseReason, unsent: Vec<Message>) {
        self.refusals.closed(connection.id());
        self.context.log(Level::Debug, format!("The connection to {} ended: {reason}", connection.peer().broker));
        self.members.peers.closed(connection);
        let mut waiting = self.routes.lanes().disconnected(connection.id());
        for message in unsent {
            waiting.extend(self.take_back(message));
        }
        self.workers.callers_lost(connection.id());
        let text = format!("The connection to the broker \"{}\" broke.", connection.peer().broker);
        self.calls.fail_lost(connection.id(), &Failure::new(Code::PeerLost, text));
        for worker in waiting {
            self.routes.look_for_route(&worker);
        }
        if let CloseReason::Lost(_) = reason {
            self.deaths.suspect(&connection.peer().incarnation, Sign::Broken);
        }
    }
}
