//! What the core tells JavaScript.

use crate::broker::js::delivery::{Delivery, Handle};
use crate::coordination::{Entry, Loaded};
use crate::error::Failure;
use crate::level::Level;
use crate::transport::Connection;
use crate::wire::message::Payload;
use bytes::Bytes;
use std::sync::Arc;

/// `Worker.DestroyCause`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DestroyCause {
    System = 1,
    Fenced = 2,
    /// It goes on elsewhere, with its memory.
    Handover = 3,
    /// Nobody needed it for a while.
    Idle = 4,
}

/// Who waits for a mark to pass through the inbox.
#[derive(Clone, Debug)]
pub enum Mark {
    /// A fence of this broker's own.
    Local { sync: u64 },
    /// A peer's.
    Remote { connection: Arc<Connection>, sync: u64 },
}

#[derive(Clone, Debug)]
pub enum Event {
    /// An operation or call of JavaScript succeeded.
    Done {
        slot: u64,
        value: Payload,
    },
    /// It failed; `body` is the handler's error as JSON text, if a handler failed.
    Failed {
        slot: u64,
        failure: Failure,
        body: Bytes,
    },
    Message(Delivery),
    /// Everything before it in the queue of messages has been dealt with when the next batch is taken.
    Mark(Mark),
    /// Make this worker.
    Create {
        handle: Handle,
        entry: Arc<Entry>,
        /// What it has stored.
        data: Loaded,
    },
    /// All that this broker sent to this worker of its own came before: what JavaScript keeps for it may start.
    Direct {
        handle: Handle,
    },
    /// Run its `onDestroy`.
    Destroy {
        handle: Handle,
        cause: DestroyCause,
    },
    Log {
        level: Level,
        message: String,
    },
    /// The core ended by itself.
    Stopped {
        message: String,
    },
    /// `restartAll()` reached this broker.
    Restart,
    BrokerDead {
        broker: String,
    },
    WorkerLost {
        id: String,
        reason: String,
    },
    /// This suspect's `onCreate` ended: report when the event loop has gone on for a moment.
    Trial {
        handle: Handle,
    },
    Suspended,
    Resumed,
    /// Whether the broker is ready may have changed.
    Readiness,
    /// The registry lost something, and this broker has put its part back. `wiped`: it was empty.
    Restored {
        wiped: bool,
    },
    /// Nobody waits for the answer to this ask any more.
    Cancel {
        inbound: u64,
    },
    /// Of the bare transport: a request, an answer to one, the end of a connection that this side opened.
    Request {
        requester: u64,
        data: Payload,
    },
    Response {
        data: Payload,
    },
    Disconnect {
        host: String,
        port: u16,
    },
}

impl Event {
    /// A result that is already JSON text.
    pub fn done_json(slot: u64, text: String) -> Self {
        Event::Done { slot, value: Payload::json(Bytes::from(text)) }
    }

    pub fn done(slot: u64) -> Self {
        Event::Done { slot, value: Payload::ABSENT }
    }

    pub fn failed(slot: u64, failure: Failure) -> Self {
        Event::Failed { slot, body: failure.body.clone(), failure }
    }
}
