//! Messages to bytes.

use super::{
    flag, kind, CHAIN_BYTES, ENVELOPE_BYTES, HEADER_BYTES, LENGTH_BYTES, MAX_METHOD_BYTES, MAX_WORKER_BYTES,
    TEXT_BYTES, TIME_LEFT_BYTES,
};
use crate::wire::call_chain::Chain;
use crate::wire::message::{Encoding, EnvelopeRef, Message, PayloadRef};
use bytes::{BufMut, BytesMut};

/// The frame, or a name in it, is longer than it may be. Nothing was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{length} bytes where at most {max} are allowed")]
pub struct TooLarge {
    pub length: usize,
    pub max: usize,
}

/// The fixed part of a frame.
struct Header {
    kind: u8,
    flags: u8,
    encoding: Encoding,
    code: u8,
    call: u64,
}

impl Header {
    fn new(kind: u8, call: u64) -> Self {
        Self { kind, flags: 0, encoding: Encoding::Absent, code: 0, call }
    }
}

/// Appends `message` to `out` as one frame of at most `max` bytes after its length.
pub fn encode(message: &Message, max: usize, out: &mut BytesMut) -> Result<(), TooLarge> {
    match message {
        Message::Ask { call, time_left, envelope } => encode_ask(out, max, *call, *time_left, envelope.as_ref()),
        Message::Tell { envelope } => encode_tell(out, max, envelope.as_ref()),
        Message::Bounce { call, code, envelope } => {
            let header = Header { code: *code as u8, ..Header::new(kind::BOUNCE, *call) };
            addressed(out, max, header, None, envelope.as_ref())
        }
        Message::Reply { call, payload } => encode_reply(out, max, *call, payload.into()),
        Message::Failure { call, code, message, body } => {
            let header = Header { code: *code as u8, ..Header::new(kind::FAILURE, *call) };
            text(out, max, header, message, body)
        }
        Message::Close { code, message } => {
            let header = Header { code: *code as u8, ..Header::new(kind::CLOSE, 0) };
            text(out, max, header, message, &[])
        }
        Message::Create { call, time_left, worker, chain } => {
            let worker = name(worker.as_str().as_bytes(), MAX_WORKER_BYTES)?;
            let header = Header { flags: chain_flag(chain), ..Header::new(kind::CREATE, *call) };
            frame(out, max, header, TIME_LEFT_BYTES + chain_bytes(chain) + worker.len(), |out| {
                out.put_u32(*time_left);
                put_chain(out, chain);
                out.put_slice(worker);
            })
        }
        Message::Sync { call, worker } => {
            let worker = name(worker.as_str().as_bytes(), MAX_WORKER_BYTES)?;
            frame(out, max, Header::new(kind::SYNC, *call), worker.len(), |out| out.put_slice(worker))
        }
        Message::Synced { call } => bare(out, max, kind::SYNCED, *call),
        Message::Cancel { call } => bare(out, max, kind::CANCEL, *call),
        Message::Ping { token } => bare(out, max, kind::PING, *token),
        Message::Pong { token } => bare(out, max, kind::PONG, *token),
        Message::Unknown { kind, call } => bare(out, max, *kind, *call),
    }
}

/// [`encode`] of an ask from borrowed parts.
pub fn encode_ask(
    out: &mut BytesMut,
    max: usize,
    call: u64,
    time_left: u32,
    envelope: EnvelopeRef<'_>,
) -> Result<(), TooLarge> {
    addressed(out, max, Header::new(kind::ASK, call), Some(time_left), envelope)
}

/// [`encode`] of a tell from borrowed parts.
pub fn encode_tell(out: &mut BytesMut, max: usize, envelope: EnvelopeRef<'_>) -> Result<(), TooLarge> {
    addressed(out, max, Header::new(kind::TELL, 0), None, envelope)
}

/// [`encode`] of a reply from borrowed parts.
pub fn encode_reply(out: &mut BytesMut, max: usize, call: u64, payload: PayloadRef<'_>) -> Result<(), TooLarge> {
    let header = Header { encoding: payload.encoding, ..Header::new(kind::REPLY, call) };
    frame(out, max, header, payload.bytes.len(), |out| out.put_slice(payload.bytes))
}

fn addressed(
    out: &mut BytesMut,
    max: usize,
    header: Header,
    time_left: Option<u32>,
    envelope: EnvelopeRef<'_>,
) -> Result<(), TooLarge> {
    let EnvelopeRef { epoch, sequence, chain, payload, .. } = envelope;
    let worker = name(envelope.worker.as_bytes(), MAX_WORKER_BYTES)?;
    let method = name(envelope.method, MAX_METHOD_BYTES)?;
    let header = Header { flags: chain_flag(chain), encoding: payload.encoding, ..header };
    let names = worker.len() + method.len();
    let before = if time_left.is_some() { TIME_LEFT_BYTES } else { 0 };
    let length = before + ENVELOPE_BYTES + names + chain_bytes(chain) + payload.bytes.len();
    frame(out, max, header, length, |out| {
        if let Some(time_left) = time_left {
            out.put_u32(time_left);
        }
        out.put_u64(epoch.0);
        out.put_u32(sequence);
        // Both were just seen to be far below 65 536.
        out.put_u16(worker.len() as u16);
        out.put_u16(method.len() as u16);
        out.put_slice(worker);
        out.put_slice(method);
        put_chain(out, chain);
        out.put_slice(payload.bytes);
    })
}

fn chain_flag(chain: &Chain) -> u8 {
    if chain.is_empty() {
        0
    } else {
        flag::CHAIN
    }
}

/// An empty chain takes no bytes: the flag says that there is none.
fn chain_bytes(chain: &Chain) -> usize {
    if chain.is_empty() {
        0
    } else {
        CHAIN_BYTES + chain.bytes()
    }
}

/// A chain keeps its own lengths far below 65 536.
fn put_chain(out: &mut BytesMut, chain: &Chain) {
    if chain.is_empty() {
        return;
    }
    out.put_u16(chain.bytes() as u16);
    for link in chain.links() {
        let worker = link.worker.as_str().as_bytes();
        out.put_u64(link.turn);
        out.put_u16(worker.len() as u16);
        out.put_slice(worker);
    }
}

fn text(out: &mut BytesMut, max: usize, header: Header, message: &[u8], body: &[u8]) -> Result<(), TooLarge> {
    frame(out, max, header, TEXT_BYTES + message.len() + body.len(), |out| {
        // The frame was just seen to fit into a u32.
        out.put_u32(message.len() as u32);
        out.put_slice(message);
        out.put_slice(body);
    })
}

fn bare(out: &mut BytesMut, max: usize, kind: u8, call: u64) -> Result<(), TooLarge> {
    frame(out, max, Header::new(kind, call), 0, |_| {})
}

fn name(bytes: &[u8], max: usize) -> Result<&[u8], TooLarge> {
    if bytes.len() > max {
        return Err(TooLarge { length: bytes.len(), max });
    }
    Ok(bytes)
}

/// Length and header, when the frame fits, then what `rest` writes: exactly `rest_bytes`.
fn frame(
    out: &mut BytesMut,
    max: usize,
    header: Header,
    rest_bytes: usize,
    rest: impl FnOnce(&mut BytesMut),
) -> Result<(), TooLarge> {
    let length = HEADER_BYTES + rest_bytes;
    let max = max.min(u32::MAX as usize);
    if length > max {
        return Err(TooLarge { length, max });
    }
    out.reserve(LENGTH_BYTES + length);
    out.put_u32(length as u32);
    out.put_u8(header.kind);
    out.put_u8(header.flags);
    out.put_u8(header.encoding as u8);
    out.put_u8(header.code);
    out.put_u64(header.call);
    rest(out);
    Ok(())
}
