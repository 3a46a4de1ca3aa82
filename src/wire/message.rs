//! The closed set of messages between brokers.

use crate::error::Code;
use crate::ids::{Epoch, WorkerId};
use crate::wire::call_chain::Chain;
use bytes::Bytes;

/// Lowest and highest protocol version that this build speaks.
pub const PROTOCOL: (u16, u16) = (1, 1);

/// How the bytes of a payload are to be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Encoding {
    /// Nothing there: JavaScript's `undefined`.
    Absent = 0,
    /// One JSON value as UTF-8 text.
    Json = 1,
    /// One JSON value in the compact form that `lib/payload/packed/format.js` describes.
    Packed = 2,
    /// Bytes of the application.
    Bytes = 3,
    /// One value that the structured clone algorithm accepts, in the form that `lib/payload/packed/format.js` describes.
    Structured = 4,
    /// An encoding of a later build: its messages are refused one by one.
    Unknown = 255,
}

impl Encoding {
    /// The encoding of this number on the wire.
    pub fn from_number(number: u8) -> Self {
        match number {
            0 => Encoding::Absent,
            1 => Encoding::Json,
            2 => Encoding::Packed,
            3 => Encoding::Bytes,
            4 => Encoding::Structured,
            _ => Encoding::Unknown,
        }
    }
}

/// Opaque bytes of the application.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Payload {
    pub encoding: Encoding,
    pub bytes: Bytes,
}

impl Payload {
    pub const ABSENT: Payload = Payload { encoding: Encoding::Absent, bytes: Bytes::new() };

    pub fn json(bytes: Bytes) -> Self {
        Self { encoding: Encoding::Json, bytes }
    }
}

/// A [`Payload`] whose bytes belong to the caller.
#[derive(Clone, Copy, Debug)]
pub struct PayloadRef<'a> {
    pub encoding: Encoding,
    pub bytes: &'a [u8],
}

impl<'a> PayloadRef<'a> {
    pub const ABSENT: PayloadRef<'static> = PayloadRef { encoding: Encoding::Absent, bytes: &[] };

    pub fn json(bytes: &'a [u8]) -> Self {
        Self { encoding: Encoding::Json, bytes }
    }

    /// A payload with a copy of the bytes.
    pub fn copied(self) -> Payload {
        Payload { encoding: self.encoding, bytes: Bytes::copy_from_slice(self.bytes) }
    }
}

impl<'a> From<&'a Payload> for PayloadRef<'a> {
    fn from(payload: &'a Payload) -> Self {
        Self { encoding: payload.encoding, bytes: &payload.bytes }
    }
}

/// A part of a read buffer up to this length is copied where its message waits. Longer ones had a buffer made for them.
const DETACHED_BYTES: usize = 128 * 1024;
/// What a message that waits takes beside its payload: itself, its place in a queue, its method and the worker's id.
const MESSAGE_BYTES: usize = 512;

/// Copies what is small, so that it does not keep the whole buffer that it was read into.
fn detach(bytes: &mut Bytes) {
    if bytes.len() <= DETACHED_BYTES {
        *bytes = Bytes::copy_from_slice(bytes);
    }
}

/// One message to a worker: what an ask, a tell and a bounce have in common, from the sender to the handler.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Envelope {
    /// The worker that is to handle the message.
    pub worker: WorkerId,
    /// The activation that the sender knows of: another one sends the message back. Set when a route is known.
    pub epoch: Epoch,
    /// Place of this message among all that its sender wrote to this worker; a bounce echoes it.
    pub sequence: u32,
    /// Name of the method: valid UTF-8, at most 256 bytes.
    pub method: Bytes,
    /// The workers that wait for the answer; of an ask.
    pub chain: Chain,
    /// The arguments.
    pub payload: Payload,
}

/// An [`Envelope`] whose parts belong to the caller: what JavaScript sends and the codec writes.
#[derive(Clone, Copy, Debug)]
pub struct EnvelopeRef<'a> {
    /// See [`Envelope::worker`].
    pub worker: &'a str,
    /// See [`Envelope::epoch`].
    pub epoch: Epoch,
    /// See [`Envelope::sequence`].
    pub sequence: u32,
    /// See [`Envelope::method`].
    pub method: &'a [u8],
    /// See [`Envelope::chain`].
    pub chain: &'a Chain,
    /// See [`Envelope::payload`].
    pub payload: PayloadRef<'a>,
}

impl<'a> EnvelopeRef<'a> {
    /// A message that has no route yet: its epoch and sequence are set when it gets one.
    pub fn new(worker: &'a str, method: &'a str, payload: PayloadRef<'a>) -> Self {
        let (epoch, method) = (Epoch::default(), method.as_bytes());
        Self { worker, epoch, sequence: 0, method, chain: &Chain::EMPTY, payload }
    }

    /// An envelope with copies of all parts.
    pub fn copied(self) -> Envelope {
        Envelope {
            worker: WorkerId::new(self.worker),
            epoch: self.epoch,
            sequence: self.sequence,
            method: Bytes::copy_from_slice(self.method),
            chain: self.chain.clone(),
            payload: self.payload.copied(),
        }
    }
}

impl Envelope {
    /// The same message, borrowed.
    pub fn as_ref(&self) -> EnvelopeRef<'_> {
        EnvelopeRef {
            worker: self.worker.as_str(),
            epoch: self.epoch,
            sequence: self.sequence,
            method: &self.method,
            chain: &self.chain,
            payload: (&self.payload).into(),
        }
    }

    /// For a message that was read from a socket and waits now: lets go of the buffer that others were read into, too.
    pub fn detach(&mut self) {
        detach(&mut self.payload.bytes);
        detach(&mut self.method);
    }

    /// What the message takes as long as it waits, in bytes. A long payload's buffer may have twice its length.
    pub fn held_bytes(&self) -> usize {
        let payload = self.payload.bytes.len();
        let buffer = if payload > DETACHED_BYTES { 2 * payload } else { payload };
        MESSAGE_BYTES + buffer
    }
}

/// One frame. The number of a kind is its first byte on the wire; an unknown kind is answered, not punished.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// 1: wants a `Reply` or `Failure` of the same `call` within `time_left` ms of its arrival.
    Ask {
        call: u64,
        time_left: u32,
        envelope: Envelope,
    },
    /// 2: wants nothing.
    Tell {
        envelope: Envelope,
    },
    /// 3: the handler's result.
    Reply {
        call: u64,
        payload: Payload,
    },
    /// 4: the call failed. `body`: JSON text of the handler's error (empty when there is none).
    Failure {
        call: u64,
        code: Code,
        message: Bytes,
        body: Bytes,
    },
    /// 5: an ask (`call` > 0) or tell (`call` = 0) that was not handled comes back whole.
    Bounce {
        call: u64,
        code: Code,
        envelope: Envelope,
    },
    /// 6: start this worker, which the registry assigns to the receiver. Answered by `Reply` (absent) when its
    /// `onCreate` ended, or `Failure`.
    Create {
        call: u64,
        time_left: u32,
        worker: WorkerId,
        /// The workers that wait for this creation.
        chain: Chain,
    },
    /// 7: answered by `Synced` after every answer to what came before it on this connection. `worker`: whose messages came
    /// back, and none of which was written since.
    Sync {
        call: u64,
        worker: WorkerId,
    },
    /// 8
    Synced {
        call: u64,
    },
    /// 9: the caller lost interest in `call`.
    Cancel {
        call: u64,
    },
    /// 10: the sender closes the connection on purpose.
    Close {
        code: Code,
        message: Bytes,
    },
    /// 11, 12: liveness.
    Ping {
        token: u64,
    },
    Pong {
        token: u64,
    },
    /// Any other number: a kind that this build does not know; `call` is its first id.
    Unknown {
        kind: u8,
        call: u64,
    },
}
